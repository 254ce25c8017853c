import type { SealedSecret, SecretDestination } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';

/**
 * What tools need from outside: the store implements it, and the worker wires it.
 */

/** A tenant's secrets, decrypted when they are used. May throw where the key provider is unavailable. */
export interface ToolSecrets {
  /**
   * Null where the tenant has no secret of this name. Throws a `TerminalError`, `secret_refused`, where it may not
   * be sent there.
   */
  read(tenantId: string, name: string, destination: SecretDestination): Promise<Secret | null>;
  open(tenantId: string, sealed: SealedSecret): Promise<Secret>;
}

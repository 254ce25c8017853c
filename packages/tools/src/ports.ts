import type { SealedSecret, SecretDestination } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';

/**
 * What tools need of the world: the store and the secrets satisfy these, and the worker wires them.
 */

/** A tenant's secrets, at the moment of use. May throw where whoever keeps the keys cannot be reached. */
export interface ToolSecrets {
  /**
   * Null where the tenant has no secret of this name. Throws a `TerminalError`, `secret_refused`, where it may not
   * be sent there.
   */
  read(tenantId: string, name: string, destination: SecretDestination): Promise<Secret | null>;
  open(tenantId: string, sealed: SealedSecret): Promise<Secret>;
}

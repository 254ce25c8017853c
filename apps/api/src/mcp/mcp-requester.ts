import type { Limits, Scope } from '@turnpike/contract';

/** Whose request it is, for the server that is made for it. */
export interface McpRequester {
  tenantId: string;
  limits: Limits;
  /** Whether the key has this scope as well. */
  may(scope: Scope): boolean;
  /** The header, null where there is none. */
  idempotencyKey: string | null;
  traceparent: string | null;
  /** Aborts when the client has disconnected. */
  gone: AbortSignal;
  /** Whether what is asked depends on the tenant's agents. */
  needsAgents: boolean;
}

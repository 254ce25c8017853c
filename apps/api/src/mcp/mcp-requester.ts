import type { Limits } from '@turnpike/contract';

/** Whose request it is, for the server that is made for it. */
export interface McpRequester {
  tenantId: string;
  limits: Limits;
  /** The header, null where there is none. */
  idempotencyKey: string | null;
  traceparent: string | null;
  /** Aborts when the client has disconnected. */
  gone: AbortSignal;
}

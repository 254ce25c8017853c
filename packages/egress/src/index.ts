export { createCallGuard, type CallGuard, type CallGuardSettings } from './call-guard.ts';
export { createSecureUrlCheck } from './check-secure-url.ts';
export type { CallOutcome, GuardedCall, GuardOptions } from './dependency-guard.ts';
export { Semaphore, type SemaphoreSettings } from './semaphore.ts';
export {
  createEgress,
  EGRESS_METHODS,
  type Egress,
  type EgressMethod,
  type EgressRequest,
  type EgressResponse,
} from './egress.ts';
export {
  BulkheadFullError,
  CircuitOpenError,
  EgressRefusedError,
  EgressUnreachableError,
  type RefusalCode,
  type UnreachableCode,
} from './errors.ts';
export type { EgressPolicy, Lookup } from './policy.ts';
export { createGuardedFetch } from './guarded-fetch.ts';
export type { BodyEnd } from './read-bounded.ts';
export { retryAfterMs } from './retry-after.ts';
export { signWebhook, type SigningSecret } from './sign-webhook.ts';
export { readAll, readPieces, type MeteredInit } from './send-request.ts';
export { createUpstreamFetch, type UpstreamFetch, type UpstreamFetchSettings } from './upstream-fetch.ts';

import { RetryableError, TerminalError } from '@turnpike/contract';

/** Why the guard refused a request. */
export type RefusalCode =
  | 'url_refused'
  | 'scheme_refused'
  | 'credentials_refused'
  | 'port_refused'
  | 'address_refused'
  | 'method_refused'
  | 'header_refused';

/** The guard refused the request: nothing was sent. The same request is refused every time. */
export class EgressRefusedError extends TerminalError {
  declare readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(code, message);
  }
}

/** Why no connection was established. */
export type UnreachableCode = 'dns_failed' | 'connect_failed' | 'connect_timeout' | 'tls_failed';

/** No connection was established, so nothing was sent: a retry cannot act twice. */
export class EgressUnreachableError extends RetryableError {
  declare readonly code: UnreachableCode;

  constructor(code: UnreachableCode, message: string, cause?: unknown) {
    super(code, message, undefined, cause);
  }
}

/** The circuit breaker is open for `retryAfterMs`: the dependency is failing. Nothing was sent. */
export class CircuitOpenError extends RetryableError {
  declare readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super('circuit_open', 'The circuit breaker is open: too many recent calls failed.', retryAfterMs);
  }
}

/** All slots are in use, and none became free in time. Nothing was sent. */
export class BulkheadFullError extends RetryableError {
  constructor() {
    super('bulkhead_full', 'Too many concurrent calls.');
  }
}

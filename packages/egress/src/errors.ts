import { RetryableError, TerminalError } from '@turnpike/contract';

/** Why a request was not let out. */
export type RefusalCode =
  | 'url_refused'
  | 'scheme_refused'
  | 'credentials_refused'
  | 'port_refused'
  | 'address_refused'
  | 'method_refused'
  | 'header_refused';

/** The guard said no: no byte of the request left. The same request is refused every time. */
export class EgressRefusedError extends TerminalError {
  declare readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(code, message);
  }
}

/** Why no connection was made. */
export type UnreachableCode = 'dns_failed' | 'connect_failed' | 'connect_timeout' | 'tls_failed';

/** No connection was made, so no byte of the request left: sending it again cannot act twice. */
export class EgressUnreachableError extends RetryableError {
  declare readonly code: UnreachableCode;

  constructor(code: UnreachableCode, message: string, cause?: unknown) {
    super(code, message, undefined, cause);
  }
}

/** The other side is failing, and is left alone for `retryAfterMs`. Nothing was sent. */
export class CircuitOpenError extends RetryableError {
  declare readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(
      'circuit_open',
      'Too many calls to it failed just now, so it is left alone for a moment.',
      retryAfterMs,
    );
  }
}

/** All places are taken, and none came free in time. Nothing was sent. */
export class BulkheadFullError extends RetryableError {
  constructor() {
    super('bulkhead_full', 'Too many calls to it are under way.');
  }
}

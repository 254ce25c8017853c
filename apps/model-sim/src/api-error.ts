import { TurnpikeError } from '@turnpike/contract';

/** The error types of the Messages API, by the status they come with. */
const TYPES_BY_STATUS: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The error type that the real API uses for a status; any other 5xx is an `api_error`. */
export function errorTypeOf(status: number): string {
  return TYPES_BY_STATUS[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
}

/** The status of an error type, for an error that would come mid-stream but has no stream to come in. */
export function statusOfErrorType(type: string): number {
  for (const [status, known] of Object.entries(TYPES_BY_STATUS)) {
    if (known === type) return Number(status);
  }
  return 500;
}

/** An error as the Messages API answers it. `code` is its `error.type`. */
export class ApiError extends TurnpikeError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    extra: { type?: string | undefined; headers?: Record<string, string> | undefined } = {},
  ) {
    super(extra.type ?? errorTypeOf(status), message);
    this.status = status;
    this.headers = extra.headers ?? {};
  }
}

/** A request that the Messages API refuses with 400. */
export function invalidRequest(message: string): ApiError {
  return new ApiError(400, message);
}

/** The body of an error response, and the data of an `error` event. */
export function errorBody(type: string, message: string, requestId: string) {
  return { type: 'error', error: { type, message }, request_id: requestId };
}

import { PROBLEMS, ProblemError, type ProblemCode, type ValidationIssue } from '@turnpike/contract';

/** The errors that A2A defines (specification 1.0, 5.4), and JSON-RPC's own: their codes there and their gRPC status. */
const REASONS = {
  TASK_NOT_FOUND: { rpcCode: -32001, status: 'NOT_FOUND', problem: 'not_found' },
  TASK_NOT_CANCELABLE: { rpcCode: -32002, status: 'FAILED_PRECONDITION', problem: 'invalid_request' },
  UNSUPPORTED_OPERATION: { rpcCode: -32004, status: 'FAILED_PRECONDITION', problem: 'invalid_request' },
  CONTENT_TYPE_NOT_SUPPORTED: { rpcCode: -32005, status: 'INVALID_ARGUMENT', problem: 'invalid_request' },
  VERSION_NOT_SUPPORTED: { rpcCode: -32009, status: 'FAILED_PRECONDITION', problem: 'invalid_request' },
  METHOD_NOT_FOUND: { rpcCode: -32601, status: 'UNIMPLEMENTED', problem: 'invalid_request' },
  INVALID_REQUEST: { rpcCode: -32600, status: 'INVALID_ARGUMENT', problem: 'invalid_request' },
} as const satisfies Record<string, { rpcCode: number; status: string; problem: ProblemCode }>;

export type Reason = keyof typeof REASONS;

/** JSON-RPC's, and not A2A's: they have no `ErrorInfo`. */
const PLAIN: readonly Reason[] = ['METHOD_NOT_FOUND', 'INVALID_REQUEST'];

const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;
/** Of the range that JSON-RPC leaves to servers: an error that neither it nor A2A has a code for. */
const OTHER_ERROR = -32000;

/** A request that A2A has an error for. */
export class RefusedError extends ProblemError {
  readonly reason: Reason;

  constructor(reason: Reason, message: string) {
    super(REASONS[reason].problem, message);
    this.reason = reason;
  }
}

export function noTask(): RefusedError {
  return new RefusedError('TASK_NOT_FOUND', 'There is no such task of this agent.');
}

/** An object of an error's details; the type of each is in `@type`. */
type Detail = Record<string, unknown>;

const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';

function detailsOf(error: ProblemError): Detail[] {
  const details: Detail[] = [];
  if (error instanceof RefusedError) {
    if (!PLAIN.includes(error.reason))
      details.push({ '@type': ERROR_INFO, reason: error.reason, domain: 'a2a-protocol.org' });
  } else if (PROBLEMS[error.code].status === 400) {
    details.push({ '@type': ERROR_INFO, reason: 'INVALID_PARAMS', domain: 'a2a-protocol.org' });
  } else {
    details.push({ '@type': ERROR_INFO, reason: error.code.toUpperCase(), domain: 'turnpike' });
  }
  if (error.issues !== undefined)
    details.push({ '@type': BAD_REQUEST, fieldViolations: error.issues.map(violation) });
  return details;
}

function violation({ path, message }: ValidationIssue): { field: string; description: string } {
  return { field: path, description: message };
}

const isA2a = (error: ProblemError): boolean => error instanceof RefusedError;

/** Whether JSON-RPC or A2A has a code for it: then a JSON-RPC response carries it, with HTTP status 200. */
export function isOfProtocol(error: ProblemError): boolean {
  return isA2a(error) || PROBLEMS[error.code].status === 400;
}

/** The `error` of a JSON-RPC response. */
export function rpcErrorOf(error: ProblemError): { code: number; message: string; data: Detail[] } {
  const { status } = PROBLEMS[error.code];
  const other = status === 400 ? INVALID_PARAMS : status >= 500 ? INTERNAL_ERROR : OTHER_ERROR;
  const code = error instanceof RefusedError ? REASONS[error.reason].rpcCode : other;
  return { code, message: error.message, data: detailsOf(error) };
}

/** The names that google.rpc has for HTTP statuses. */
const STATUS_NAMES: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
};

/** The `error` of an HTTP+JSON response. */
export function restErrorOf(error: ProblemError): Record<string, unknown> {
  const { status } = PROBLEMS[error.code];
  const name =
    error instanceof RefusedError ? REASONS[error.reason].status : (STATUS_NAMES[status] ?? 'UNKNOWN');
  return { code: status, status: name, message: error.message, details: detailsOf(error) };
}

import { AnthropicError, APIConnectionError, APIConnectionTimeoutError, APIError } from '@anthropic-ai/sdk';
import { RetryableError, TerminalError } from '@turnpike/contract';
import { EgressRefusedError } from '@turnpike/egress';
import { readErrorBody, requestIdIn } from './read-error-body.ts';
import { readRefusal, type ReadRefusal } from './read-refusal.ts';
import { readRetryAfter } from './retry-after.ts';
import { safeMessage } from './safe-message.ts';

/** What the error of a request means. */
export interface Failure {
  /** Stable, snake_case. */
  code: string;
  /** Trying again cannot help. */
  terminal: boolean;
  /** The `retry-after` of the API, at most an hour. */
  retryAfterMs: number | undefined;
  /** May be shown to clients: the API's own message, shortened and scrubbed, or ours. */
  message: string;
  providerRequestId: string | null;
  /** The HTTP status; undefined without a response, and for an `error` event inside a stream. */
  status: number | undefined;
  /** What it says about the conversation; undefined where the conversation was not refused. */
  refusal?: ReadRefusal;
}

export interface ClassifySettings {
  /** For a `retry-after` that is a date. Default: now. */
  now?: number;
  /** Removes known secrets from the API's message. Default: none are known. */
  hide?(text: string): string;
}

/**
 * Classifies the error of a request, and says whether another request can help. Undefined for an error that is not the
 * API's, such as a bug of ours: the caller is to throw it.
 */
export function classifyError(error: unknown, settings: ClassifySettings = {}): Failure | undefined {
  if (error instanceof RetryableError) return failure(error.code, false, error.message);
  if (error instanceof TerminalError) return failure(error.code, true, error.message);
  const refusal = refusalIn(error);
  if (refusal !== undefined) return failure('model_base_url_refused', true, refusal.message);
  if (error instanceof APIConnectionTimeoutError) return timedOut();
  if (error instanceof APIConnectionError) {
    return failure('model_unavailable', false, `The model API could not be reached${named(error)}.`);
  }
  if (error instanceof APIError) return fromApiError(error, settings);
  if (error instanceof SyntaxError || error instanceof AnthropicError) {
    return failure('model_malformed_stream', false, 'The model API sent an invalid response.');
  }
  const code = codeOf(error);
  if (code === undefined || !NETWORK_CODE.test(code)) return undefined;
  return TIMEOUT_CODES.has(code)
    ? timedOut()
    : failure('model_stream_cut', false, `The connection to the model API broke (${code}).`);
}

function fromApiError(error: APIError, { now = Date.now(), hide }: ClassifySettings): Failure {
  const { status, headers } = error;
  const body = readErrorBody(error.error, headers);
  const retryAfterMs = readRetryAfter(headers, now);
  const text = body.message ?? '';
  const type = error.type ?? body.type;
  const verdict = judge({
    status,
    type,
    errorCode: error.errorCode ?? undefined,
    text,
    retryAfterMs,
    shouldRetry: headers?.get('x-should-retry') ?? undefined,
  });
  return {
    ...verdict,
    retryAfterMs: verdict.terminal ? undefined : retryAfterMs,
    message: safeMessage(hide?.(text) ?? text) || `The model API responded with ${status ?? 'an error'}.`,
    providerRequestId: requestIdIn(headers) ?? body.requestId ?? null,
    status,
    ...(verdict.code === 'model_rejected_request' && isRefused({ status, type })
      ? { refusal: readRefusal(text) }
      : {}),
  };
}

interface ErrorResponse {
  status: number | undefined;
  type: string | undefined;
  errorCode: string | undefined;
  text: string;
  retryAfterMs: number | undefined;
  shouldRetry: string | undefined;
}

type Verdict = Pick<Failure, 'code' | 'terminal'>;

const SPEND_LIMIT_CODES = new Set([
  'enforced_spend_limit_reached',
  'contract_spend_limit_reached',
  'linked_organization_spend_limit_reached',
]);
const SPEND_LIMIT_MESSAGE = /spend(ing)? (limit|cap)|credit balance|specified (workspace )?api usage limits/i;
/** Anthropic's wording first, then that of gateways. */
const PROMPT_TOO_LONG_MESSAGE =
  /(prompt|input|request) is too long|context[ _]?(window|limit|length)|too many (input |total )?tokens|maximum (number of )?tokens/i;

function judge(response: ErrorResponse): Verdict {
  const { status, type, text } = response;
  const exception = EXCEPTIONS.get(type ?? '');
  if (exception !== undefined) return exception;
  if (isSpendLimit(response)) return { code: 'model_spend_limit', terminal: true };
  if (isRefused({ status, type }) && PROMPT_TOO_LONG_MESSAGE.test(text)) {
    return { code: 'model_context_window_exceeded', terminal: true };
  }
  const verdict = byType(type, status) ?? byStatus(status);
  // The API's own verdict goes first, as it does in the SDK.
  if (status !== undefined && response.shouldRetry === 'false') return { ...verdict, terminal: true };
  if (status !== undefined && response.shouldRetry === 'true') return { ...verdict, terminal: false };
  return verdict;
}

/** The request was refused for its contents. An `error` event has no status; gateways have their own types. */
function isRefused({ status, type }: Pick<ErrorResponse, 'status' | 'type'>): boolean {
  return status === undefined ? REFUSED_TYPES.has(type ?? '') : REFUSED.has(status);
}

const REFUSED_TYPES = new Set(['invalid_request_error', 'validationException']);

const REFUSED = new Set([400, 415, 422]);

/**
 * A spend limit ends with the month or with a payment, not with a pause. The API names it by a code, or only in the
 * message: then a `retry-after` says that it is a rate limit after all.
 */
function isSpendLimit({ status, errorCode, text, retryAfterMs }: ErrorResponse): boolean {
  if (errorCode !== undefined && SPEND_LIMIT_CODES.has(errorCode)) return true;
  const canBe = status === undefined || status === 400 || status === 402 || status === 429;
  return canBe && retryAfterMs === undefined && SPEND_LIMIT_MESSAGE.test(text);
}

/** An `error` event has no status, and some types are more precise than theirs: those go first. */
function byType(type: string | undefined, status: number | undefined): Verdict | undefined {
  if (type === 'overloaded_error') return { code: 'model_overloaded', terminal: false };
  if (type === 'billing_error') return { code: 'model_billing', terminal: true };
  if (status !== undefined) return undefined;
  return TYPES.get(type ?? '') ?? { code: 'model_unavailable', terminal: false };
}

const TYPES: ReadonlyMap<string, Verdict> = new Map([
  ['api_error', { code: 'model_unavailable', terminal: false }],
  ['rate_limit_error', { code: 'model_rate_limited', terminal: false }],
  ['timeout_error', { code: 'model_timeout', terminal: false }],
  ['invalid_request_error', { code: 'model_rejected_request', terminal: true }],
  ['authentication_error', { code: 'model_authentication', terminal: true }],
  ['permission_error', { code: 'model_permission', terminal: true }],
  ['not_found_error', { code: 'model_not_found', terminal: true }],
  ['request_too_large', { code: 'model_request_too_large', terminal: true }],
  ['validationException', { code: 'model_rejected_request', terminal: true }],
]);

/** Exceptions of AWS, in a response or inside a stream. They are more precise than their status: a quota has 400. */
const EXCEPTIONS: ReadonlyMap<string, Verdict> = new Map([
  ['throttlingException', { code: 'model_rate_limited', terminal: false }],
  ['serviceQuotaExceededException', { code: 'model_rate_limited', terminal: false }],
  ['modelNotReadyException', { code: 'model_overloaded', terminal: false }],
  ['modelErrorException', { code: 'model_unavailable', terminal: false }],
  ['modelStreamErrorException', { code: 'model_unavailable', terminal: false }],
  ['internalServerException', { code: 'model_unavailable', terminal: false }],
  ['serviceUnavailableException', { code: 'model_unavailable', terminal: false }],
  ['modelTimeoutException', { code: 'model_timeout', terminal: false }],
  ['unrecognizedClientException', { code: 'model_authentication', terminal: true }],
  ['expiredTokenException', { code: 'model_authentication', terminal: true }],
  ['invalidSignatureException', { code: 'model_authentication', terminal: true }],
  ['incompleteSignatureException', { code: 'model_authentication', terminal: true }],
  ['missingAuthenticationTokenException', { code: 'model_authentication', terminal: true }],
  ['accessDeniedException', { code: 'model_permission', terminal: true }],
  ['resourceNotFoundException', { code: 'model_not_found', terminal: true }],
]);

function byStatus(status: number | undefined): Verdict {
  const known = STATUSES.get(status ?? 0);
  if (known !== undefined) return known;
  return status === undefined || status >= 500
    ? { code: 'model_unavailable', terminal: false }
    : { code: 'model_rejected_request', terminal: true };
}

const STATUSES: ReadonlyMap<number, Verdict> = new Map([
  [401, { code: 'model_authentication', terminal: true }],
  [402, { code: 'model_billing', terminal: true }],
  [403, { code: 'model_permission', terminal: true }],
  [404, { code: 'model_not_found', terminal: true }],
  [408, { code: 'model_timeout', terminal: false }],
  [409, { code: 'model_unavailable', terminal: false }],
  [413, { code: 'model_request_too_large', terminal: true }],
  [429, { code: 'model_rate_limited', terminal: false }],
  [504, { code: 'model_timeout', terminal: false }],
  [529, { code: 'model_overloaded', terminal: false }],
]);

/** Codes of undici, of the system and of the HTTP parser; those of Node's own errors begin with ERR_. */
const NETWORK_CODE = /^(UND_ERR_|E(?!RR_)|HPE_)/;

const TIMEOUT_CODES = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);

/** The egress refused the address of the API: the SDK and the HTTP client wrap that error. */
function refusalIn(error: unknown): EgressRefusedError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; depth++) {
    if (at instanceof EgressRefusedError) return at;
    at = at.cause;
  }
  return undefined;
}

/** The code of the error or of one of its causes, such as `ECONNRESET`: a name, never a value. */
function codeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth++) {
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return code;
    at = cause;
  }
  return undefined;
}

function named(error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? '' : ` (${code})`;
}

function timedOut(): Failure {
  return failure('model_timeout', false, 'The model API took too long.');
}

function failure(code: string, terminal: boolean, message: string): Failure {
  return { code, terminal, retryAfterMs: undefined, message, providerRequestId: null, status: undefined };
}

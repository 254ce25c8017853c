import type { Problem } from './wire/contract.ts';

/** The base class of the client's errors. An aborted call rejects with its signal's reason instead. */
export class TurnpikeError extends Error {
  // A literal in each class, because minifiers shorten class names.
  override readonly name: string = 'TurnpikeError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** A problem code of the service, or `unexpected_answer` if the response is not from the service, such as a proxy's. */
// `string & {}` keeps the known codes in an editor's suggestions and allows the codes of newer services.
export type ApiErrorCode = Problem['code'] | 'unexpected_answer' | (string & {});

export interface ApiErrorParts {
  status: number;
  code: ApiErrorCode;
  detail: string;
  requestId: string | null;
  retryAfterMs: number | null;
  errors: readonly { path: string; message: string }[];
  blockingTurnId: string | null;
  agentIds: readonly string[];
  oldestCursor: string | null;
}

/** The service responded with an error. */
export class TurnpikeApiError extends TurnpikeError {
  override readonly name = 'TurnpikeApiError';
  /** The HTTP status. */
  readonly status: number;
  /** What happened. Codes are stable, so they can be compared. */
  readonly code: ApiErrorCode;
  /** What happened, in a sentence: the message without status, code and request. */
  readonly detail: string;
  /** Identifies the request in the service's log. */
  readonly requestId: string | null;
  /** How long the service asks to wait before a retry. */
  readonly retryAfterMs: number | null;
  /** For `invalid_request`: what is wrong with the request. */
  readonly errors: readonly { path: string; message: string }[];
  /** For `session_busy`: the turn that blocks the session. */
  readonly blockingTurnId: string | null;
  /** For `tool_in_use`: some of the agents that use the tool. */
  readonly agentIds: readonly string[];
  /** For `cursor_expired`: the oldest cursor that is still valid. */
  readonly oldestCursor: string | null;

  constructor(parts: ApiErrorParts) {
    const { status, code, detail, requestId } = parts;
    super(`${detail} (${status} ${code}${requestId === null ? '' : `, ${requestId}`})`);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfterMs = parts.retryAfterMs;
    this.errors = parts.errors;
    this.blockingTurnId = parts.blockingTurnId;
    this.agentIds = parts.agentIds;
    this.oldestCursor = parts.oldestCursor;
  }
}

/** No complete response arrived: the request may or may not have taken effect. */
export class TurnpikeConnectionError extends TurnpikeError {
  override readonly name = 'TurnpikeConnectionError';
}

/** The caller's timeout passed. It does not affect a turn, which continues to run. */
export class TurnpikeTimeoutError extends TurnpikeError {
  override readonly name = 'TurnpikeTimeoutError';
  /** The timeout in milliseconds. */
  readonly timeoutMs: number;

  constructor(message: string, timeoutMs: number) {
    super(message);
    this.timeoutMs = timeoutMs;
  }
}

/**
 * `malformed`: not a Standard Webhook. `bad_signature`: altered, or signed with another secret.
 * `too_old`, `too_new`: genuine, but outside the time tolerance: a replay, or a wrong clock.
 */
export type WebhookErrorCode = 'malformed' | 'bad_signature' | 'too_old' | 'too_new';

/** The webhook cannot be trusted: respond with 400 and ignore it. */
export class WebhookVerificationError extends TurnpikeError {
  override readonly name = 'WebhookVerificationError';
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

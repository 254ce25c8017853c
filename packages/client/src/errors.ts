import type { Problem } from './wire/contract.ts';

/** The root of every error that the client throws on purpose. An aborted call rejects with its signal's reason. */
export class TurnpikeError extends Error {
  // Written out in each class: the name of a class is a letter in code that was minified.
  override readonly name: string = 'TurnpikeError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** A code of the service, or `unexpected_answer` where something between answered in its stead. */
// `string & {}` keeps the known codes in an editor's suggestions: a newer service may say one more.
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

/** The service answered, and said no. */
export class TurnpikeApiError extends TurnpikeError {
  override readonly name = 'TurnpikeApiError';
  /** The HTTP status. */
  readonly status: number;
  /** What happened: stable, so that it can be compared with. */
  readonly code: ApiErrorCode;
  /** Names the request in the service's log. */
  readonly requestId: string | null;
  /** How long the service asked to wait before another try. */
  readonly retryAfterMs: number | null;
  /** What is wrong with the request, for `invalid_request`. */
  readonly errors: readonly { path: string; message: string }[];
  /** The turn that stands in the way, for `session_busy`. */
  readonly blockingTurnId: string | null;
  /** Some of the agents that stand in the way, for `tool_in_use`. */
  readonly agentIds: readonly string[];
  /** The oldest cursor that can still be used, for `cursor_expired`. */
  readonly oldestCursor: string | null;

  constructor(parts: ApiErrorParts) {
    const { status, code, detail, requestId } = parts;
    super(`${detail} (${status} ${code}${requestId === null ? '' : `, ${requestId}`})`);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.retryAfterMs = parts.retryAfterMs;
    this.errors = parts.errors;
    this.blockingTurnId = parts.blockingTurnId;
    this.agentIds = parts.agentIds;
    this.oldestCursor = parts.oldestCursor;
  }
}

/** No answer came, or not all of it: what was asked for may or may not have happened. */
export class TurnpikeConnectionError extends TurnpikeError {
  override readonly name = 'TurnpikeConnectionError';
}

/** The time that the caller gave was not enough. Of a turn it says nothing: that goes on. */
export class TurnpikeTimeoutError extends TurnpikeError {
  override readonly name = 'TurnpikeTimeoutError';
  /** Milliseconds. */
  readonly timeoutMs: number;

  constructor(message: string, timeoutMs: number) {
    super(message);
    this.timeoutMs = timeoutMs;
  }
}

/**
 * `malformed`: no webhook of this kind. `bad_signature`: altered, or signed with another secret.
 * `too_old`, `too_new`: genuine, but sent at another time: a replay, or a wrong clock.
 */
export type WebhookErrorCode = 'malformed' | 'bad_signature' | 'too_old' | 'too_new';

/** Not to be trusted: answer 400, and do nothing with it. */
export class WebhookVerificationError extends TurnpikeError {
  override readonly name = 'WebhookVerificationError';
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The limits of one model call. Times are milliseconds. */
export interface ModelLimits {
  /** Requests for one step under one lease; then the turn is parked, and holds no worker. */
  maxAttempts: number;
  /** Requests for one step in all. */
  maxTotalAttempts: number;
  /** Responses under one lease that reached their end and are invalid; with the last of them, the step fails. */
  maxBrokenResponses: number;
  /** The first time that a turn is parked, doubled with each further one. */
  parkBaseMs: number;
  parkCapMs: number;
  /** With a longer wait before a retry, the turn is parked instead. */
  maxInlineWaitMs: number;
  /** The first retry waits up to this long, each further one up to twice the one before. */
  backoffBaseMs: number;
  backoffCapMs: number;
  /** For TCP and TLS. */
  connectTimeoutMs: number;
  /** Without a byte, before the response's head and inside the stream. A ping counts as a byte. */
  idleTimeoutMs: number;
  /** For one request, from its start to `message_stop`. */
  totalTimeoutMs: number;
  /** For counting the tokens of one request; then the guess must do. */
  countTimeoutMs: number;
  /** How long a turn is parked, at least, when the retry budget is spent. */
  budgetWaitMs: number;
  /** How long the value of a tenant's key is cached. */
  keyTtlMs: number;
  /** Cooldown of a key that was rate-limited without a `retry-after`: other keys are preferred meanwhile. */
  rateLimitedCooldownMs: number;
  /** Cooldown of a key that was refused, or has no credit left. */
  refusedCooldownMs: number;
  /** Parked turns return spread over this time, or over as long again as they had to wait, if that is less. */
  parkSpreadMs: number;
}

export const DEFAULT_LIMITS: ModelLimits = {
  maxAttempts: 3,
  maxTotalAttempts: 20,
  maxBrokenResponses: 3,
  parkBaseMs: 5_000,
  parkCapMs: 60_000,
  maxInlineWaitMs: 5_000,
  backoffBaseMs: 500,
  backoffCapMs: 8_000,
  connectTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  totalTimeoutMs: 600_000,
  countTimeoutMs: 5_000,
  budgetWaitMs: 7_500,
  keyTtlMs: 60_000,
  rateLimitedCooldownMs: 10_000,
  refusedCooldownMs: 300_000,
  parkSpreadMs: 5_000,
};

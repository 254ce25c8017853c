/** The bounds of one model call. Times are milliseconds. */
export interface ModelLimits {
  /** Requests for one step under one lease; then the turn waits without holding a worker. */
  maxAttempts: number;
  /** Requests for one step in all. */
  maxTotalAttempts: number;
  /** Answers under one lease that came to their end and are none; with the last of them, the step fails. */
  maxBrokenAnswers: number;
  /** The first such wait, doubled with each further one. */
  parkBaseMs: number;
  parkCapMs: number;
  /** A longer wait before a retry is not waited here: the caller gets its worker slot back. */
  maxInlineWaitMs: number;
  /** The first retry waits up to this long, each further one up to twice the one before. */
  backoffBaseMs: number;
  backoffCapMs: number;
  /** For TCP and TLS. */
  connectTimeoutMs: number;
  /** Without a byte, before the head and inside the stream. A ping is a byte: it counts as life. */
  idleTimeoutMs: number;
  /** For one request, from its start to `message_stop`. */
  totalTimeoutMs: number;
  /** How long a turn is parked, at least, when the retry budget is spent. */
  budgetWaitMs: number;
  /** How long the value of a tenant's key is kept before it is read anew. */
  keyTtlMs: number;
  /** How long another key is preferred to one that was rate-limited without being told for how long. */
  rateLimitedCooldownMs: number;
  /** The same for a key that was refused, or has no money left. */
  refusedCooldownMs: number;
  /** Parked turns come back spread over this time, or over as long again as they had to wait, if that is less. */
  parkSpreadMs: number;
}

export const DEFAULT_LIMITS: ModelLimits = {
  maxAttempts: 3,
  maxTotalAttempts: 20,
  maxBrokenAnswers: 3,
  parkBaseMs: 5_000,
  parkCapMs: 60_000,
  maxInlineWaitMs: 5_000,
  backoffBaseMs: 500,
  backoffCapMs: 8_000,
  connectTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  totalTimeoutMs: 600_000,
  budgetWaitMs: 7_500,
  keyTtlMs: 60_000,
  rateLimitedCooldownMs: 10_000,
  refusedCooldownMs: 300_000,
  parkSpreadMs: 5_000,
};

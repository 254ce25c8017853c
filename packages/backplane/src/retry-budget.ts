import type { Redis } from 'ioredis';
import { z } from 'zod';

/** The shape of every bucket: as `createRetryBudget` of packages/model has it, for one process. */
export const BUCKET = {
  /** Retries that a key starts with, and that time gives back. */
  allowance: 10,
  /** Retries that a key can save up. */
  capacity: 50,
  perMinute: 30,
  keptMs: 3_600_000,
} as const;

/** What one success adds. */
const DEPOSIT = 0.1;
const FLUSH_MS = 1_000;
/** Keys with deposits that wait to be sent. */
const MOST_PENDING = 10_000;

/** Adds `deposit` to a key's bucket, then takes `take` (0 or 1) out of it; false where there is not as much. */
export type ChangeBucket = (key: string, deposit: number, take: 0 | 1) => Promise<boolean>;

/**
 * How much of the traffic may be retries, shared by all processes: a token bucket for each key. What
 * successes add is gathered for a second, so that a model call that went well waits for nothing.
 */
export class SharedRetryBudget {
  readonly #change: ChangeBucket;
  readonly #deposits = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(change: ChangeBucket) {
    this.#change = change;
  }

  /** Takes the right to one retry; false when there is none. Throws `BackplaneUnavailableError`. */
  take(key: string): Promise<boolean> {
    const deposit = this.#deposits.get(key) ?? 0;
    this.#deposits.delete(key);
    return this.#change(key, deposit, 1);
  }

  /** Notes a success. Never throws: a deposit that does not arrive makes retries fewer, not more. */
  deposit(key: string): void {
    if (this.#deposits.size >= MOST_PENDING && !this.#deposits.has(key)) return;
    this.#deposits.set(key, (this.#deposits.get(key) ?? 0) + DEPOSIT);
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const deposits = [...this.#deposits];
    this.#deposits.clear();
    await Promise.allSettled(deposits.map(([key, deposit]) => this.#change(key, deposit, 0)));
  }
}

/*
 * KEYS[1]: the bucket, a hash of `tokens` and `at` (milliseconds, by the server's clock).
 * ARGV: 1 deposit, 2 tokens to take, 3 allowance, 4 capacity, 5 tokens a minute, 6 milliseconds to keep it.
 * Returns 1 where the tokens were taken, else 0.
 */
const CHANGE_SCRIPT = `
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local allowance = tonumber(ARGV[3])
local tokens = tonumber(known[1]) or allowance
local earned = (at - (tonumber(known[2]) or at)) / 60000 * tonumber(ARGV[5])
if tokens < allowance then tokens = math.min(allowance, tokens + earned) end
tokens = math.min(tonumber(ARGV[4]), tokens + tonumber(ARGV[1]))
local take = tonumber(ARGV[2])
local taken = 0
if tokens >= take - 1e-9 then
  tokens = tokens - take
  taken = 1
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(at))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return taken`;

/** Buckets in Redis, under `prefix`. */
export function redisBuckets(client: Redis, prefix: string): ChangeBucket {
  const { allowance, capacity, perMinute, keptMs } = BUCKET;
  client.defineCommand('turnpikeChangeBucket', { numberOfKeys: 1, lua: CHANGE_SCRIPT });
  const commands = client as unknown as {
    turnpikeChangeBucket(key: string, ...values: number[]): Promise<number>;
  };
  return async (key, deposit, take) => {
    const values = [deposit, take, allowance, capacity, perMinute, keptMs];
    return (await commands.turnpikeChangeBucket(`${prefix}${key}`, ...values)) === 1;
  };
}

const MAKE_TABLE = `
SELECT pg_advisory_xact_lock(hashtextextended('turnpike.retry_budget', 0));
CREATE UNLOGGED TABLE IF NOT EXISTS retry_budget (
  key text PRIMARY KEY, tokens double precision NOT NULL, granted boolean NOT NULL, changed_at timestamptz NOT NULL
)`;

/* $1 key, $2 deposit, $3 tokens to take. The row tells what became of the last change of it. */
const CHANGE = `
INSERT INTO retry_budget AS bucket (key, tokens, granted, changed_at)
VALUES ($1, least(${BUCKET.capacity}, ${BUCKET.allowance} + $2::double precision) - $3::int, true, now())
ON CONFLICT (key) DO UPDATE SET (tokens, granted, changed_at) = (
  SELECT CASE WHEN full_bucket.tokens >= $3::int - 1e-9 THEN full_bucket.tokens - $3::int ELSE full_bucket.tokens END,
         full_bucket.tokens >= $3::int - 1e-9, now()
  FROM (
    SELECT least(${BUCKET.capacity}, $2::double precision + CASE
      WHEN bucket.tokens >= ${BUCKET.allowance} THEN bucket.tokens
      ELSE least(${BUCKET.allowance}, bucket.tokens
                 + extract(epoch FROM now() - bucket.changed_at) / 60 * ${BUCKET.perMinute}) END) AS tokens
  ) AS full_bucket
)
RETURNING granted`;

const changedSchema = z.object({ granted: z.boolean() });

/** What is used of BullMQ's pool. */
interface Asked {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
}

/** Buckets in a table of the pool's schema, made here where it is not there. */
export async function postgresBuckets(pool: Asked): Promise<ChangeBucket> {
  await pool.query(MAKE_TABLE);
  return async (key, deposit, take) => {
    const { rows } = await pool.query(CHANGE, [key, deposit, take]);
    return changedSchema.parse(rows[0]).granted;
  };
}

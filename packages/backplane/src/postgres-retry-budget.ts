import { z } from 'zod';
import { BUCKET, type ChangeBucket } from './retry-budget.ts';

const { allowance, capacity, perMinute, keptMs } = BUCKET;

/* Processes that start at once take turns: "if not exists" alone may still collide. */
const MAKE_TABLE = `
SELECT pg_advisory_xact_lock(hashtextextended('turnpike.retry_budget', 0));
CREATE UNLOGGED TABLE IF NOT EXISTS retry_budget (
  key text PRIMARY KEY, tokens double precision NOT NULL, granted boolean NOT NULL, changed_at timestamptz NOT NULL
)`;

/*
 * $1 key, $2 deposit, $3 tokens to take. The row says what its last change resulted in. The time is
 * the statement's own, not the transaction's: a statement that waited for the row must not set the clock back.
 */
const CHANGE = `
INSERT INTO retry_budget AS bucket (key, tokens, granted, changed_at)
VALUES ($1, least(${capacity}, ${allowance} + $2::double precision) - $3::int, true, clock_timestamp())
ON CONFLICT (key) DO UPDATE SET (tokens, granted, changed_at) = (
  SELECT CASE WHEN filled.tokens >= $3::int - 1e-9 THEN filled.tokens - $3::int ELSE filled.tokens END,
         filled.tokens >= $3::int - 1e-9, filled.at
  FROM (
    SELECT now.at, least(${capacity}, $2::double precision + CASE
      WHEN bucket.tokens >= ${allowance} THEN bucket.tokens
      ELSE least(${allowance}, bucket.tokens
                 + greatest(0, extract(epoch FROM now.at - bucket.changed_at)) / 60 * ${perMinute}) END) AS tokens
    FROM (SELECT clock_timestamp() AS at) AS now
  ) AS filled
)
RETURNING granted`;

const changeSchema = z.tuple([z.object({ granted: z.boolean() })]);

const DELETE_OLD = `DELETE FROM retry_budget WHERE changed_at < now() - interval '${keptMs} milliseconds'`;

/** The part of BullMQ's pool that is used. */
interface Asked {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
}

/** Buckets in a table of the pool's schema, which is created where it is missing. One round trip per change. */
export async function postgresBuckets(pool: Asked): Promise<ChangeBucket> {
  await pool.query(MAKE_TABLE);
  let purgedAt = -Infinity;
  const dropExpired = (): void => {
    if (performance.now() - purgedAt < keptMs) return;
    purgedAt = performance.now();
    // If this fails, the next purge deletes the rows.
    pool.query(DELETE_OLD).catch(() => undefined);
  };
  return async (key, deposit, take) => {
    dropExpired();
    const { rows } = await pool.query(CHANGE, [key, deposit, take]);
    return changeSchema.parse(rows)[0].granted;
  };
}

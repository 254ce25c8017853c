import { z } from 'zod';
import { KEPT_MS, type SpendRequests } from './request-rate.ts';

/* Processes that start at once take turns: "if not exists" alone may still collide. */
const MAKE_TABLE = `
SELECT pg_advisory_xact_lock(hashtextextended('turnpike.request_rate', 0));
CREATE UNLOGGED TABLE IF NOT EXISTS request_rate (
  key text PRIMARY KEY, tokens double precision NOT NULL, changed_at timestamptz NOT NULL
)`;

/*
 * $1 key, $2 tokens to take, $3 tokens a second, which is also what a full bucket holds, and the most that
 * can be owed. The time is the statement's own: a statement that waited for the row must not set the clock back.
 */
const SPEND = `
INSERT INTO request_rate AS bucket (key, tokens, changed_at)
VALUES ($1, greatest(-$3::double precision, $3::double precision - $2::double precision), clock_timestamp())
ON CONFLICT (key) DO UPDATE SET (tokens, changed_at) = (
  SELECT greatest(-$3::double precision, least($3::double precision, bucket.tokens
           + greatest(0, extract(epoch FROM now.at - bucket.changed_at)) * $3::double precision)
           - $2::double precision), now.at
  FROM (SELECT clock_timestamp() AS at) AS now
)
RETURNING tokens`;

const spentSchema = z.tuple([z.object({ tokens: z.number() })]);

const DELETE_OLD = `DELETE FROM request_rate WHERE changed_at < now() - interval '${KEPT_MS} milliseconds'`;

/** The part of BullMQ's pool that is used. */
interface Asked {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
}

/** Buckets in a table of the pool's schema, which is created where it is missing. One round trip per call. */
export async function postgresRequestRate(pool: Asked): Promise<SpendRequests> {
  await pool.query(MAKE_TABLE);
  let purgedAt = performance.now();
  const dropExpired = (): void => {
    if (performance.now() - purgedAt < KEPT_MS) return;
    purgedAt = performance.now();
    // If this fails, the next purge deletes the rows.
    pool.query(DELETE_OLD).catch(() => undefined);
  };
  return async (key, count, { perSecond }) => {
    dropExpired();
    const { rows } = await pool.query(SPEND, [key, count, perSecond]);
    return spentSchema.parse(rows)[0].tokens;
  };
}

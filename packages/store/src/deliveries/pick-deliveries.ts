import { z } from 'zod';
import { parameterRows } from '../database/parameter-rows.ts';
import { query, type Sql } from '../database/sql.ts';

const jobSchema = z.object({ deliveryId: z.string(), jobNumber: z.int() });
export type PickedDelivery = z.infer<typeof jobSchema>;

/*
 * Invariant: a receiver never has more deliveries queued or claimed than its window, however many are due, so
 * ten thousand deliveries to a dead endpoint delay no other receiver. (Two passes at the same instant may
 * each fill the window.) Waiting deliveries are not read again and again: one that cannot be queued when it
 * is new is put behind its receiver's row (`turnpike_pick_waiting_deliveries`), in the same commit.
 */
const TAKE_FRESH = {
  name: 'take-fresh-deliveries',
  text: `
WITH fresh AS MATERIALIZED (
  SELECT id, lane, tenant_id, next_attempt_at FROM deliveries
  WHERE fresh AND status IN ('pending', 'failed') AND hinted_at IS NULL
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
), slots AS MATERIALIZED (
  SELECT lane, $2::int - (SELECT count(*) FROM deliveries AS in_window
                          WHERE in_window.lane = receiver.lane AND in_window.status IN ('pending', 'failed')
                            AND in_window.hinted_at IS NOT NULL) AS free
  FROM (SELECT DISTINCT lane FROM fresh) AS receiver
  WHERE NOT EXISTS (SELECT 1 FROM webhook_receivers
                    WHERE webhook_receivers.id = receiver.lane AND open_until IS NOT NULL)
), sorted AS MATERIALIZED (
  SELECT fresh.*, fresh.next_attempt_at <= now() AND row_number() OVER (
      PARTITION BY fresh.lane ORDER BY fresh.next_attempt_at > now(), fresh.id) <= coalesce(slots.free, 0) AS is_queued
  FROM fresh LEFT JOIN slots ON slots.lane = fresh.lane
), queued AS (
  UPDATE deliveries SET fresh = false, hinted_at = now(), hint = deliveries.hint + 1
  -- As an array: for a join, a planner that expects more rows would read the whole table.
  WHERE deliveries.id = ANY (ARRAY(SELECT id FROM sorted WHERE is_queued))
  RETURNING deliveries.id AS "deliveryId", deliveries.hint AS "jobNumber"
), waiting AS (
  UPDATE deliveries SET fresh = false WHERE deliveries.id = ANY (ARRAY(SELECT id FROM sorted WHERE NOT is_queued))
), receivers AS (
  -- Sorted, so that two passes cannot deadlock.
  INSERT INTO webhook_receivers AS known (id, tenant_id, try_at)
  SELECT lane, min(tenant_id), min(next_attempt_at) FROM sorted WHERE NOT is_queued GROUP BY lane ORDER BY lane
  ON CONFLICT (id) DO UPDATE SET try_at = least(known.try_at, greatest(excluded.try_at, known.open_until))
)
SELECT (SELECT coalesce(json_agg(json_build_object('deliveryId', "deliveryId", 'jobNumber', "jobNumber")), '[]') FROM queued) AS picked,
  (SELECT count(*)::int FROM fresh) AS seen`,
  row: z.object({ picked: z.array(jobSchema), seen: z.int() }),
};

/**
 * Marks fresh deliveries as queued as far as their receivers' windows have slots, and puts the others behind
 * their receivers. `seen` counts both: if it equals `limit`, there may be more.
 */
export async function takeFreshDeliveries(
  sql: Sql,
  settings: { limit: number; window: number },
): Promise<{ picked: PickedDelivery[]; seen: number }> {
  return onlyRow(await query(sql, TAKE_FRESH, [settings.limit, settings.window]));
}

/** With the column's name. */
const columnsSchema = z
  .object({ deliveryId: z.string(), hint: z.int() })
  .transform(({ deliveryId, hint }) => ({ deliveryId, jobNumber: hint }));

/* The function, with its invariant, is in packages/store/sql/functions. */
const PICK_WAITING = {
  name: 'pick-waiting-deliveries',
  text: `SELECT picked, receivers FROM turnpike_pick_waiting_deliveries($1, $2, $3)`,
  row: z.object({ picked: z.array(columnsSchema), receivers: z.int() }),
};

/**
 * Marks waiting deliveries of up to `limit` receivers that may be tried now as queued: at most `window` for
 * each, and one for each whose circuit breaker is not closed, a probe that may take `probeMs`. `receivers` is
 * how many were looked at.
 */
export async function pickWaitingDeliveries(
  sql: Sql,
  settings: { limit: number; window: number; probeMs: number },
): Promise<{ picked: PickedDelivery[]; receivers: number }> {
  return onlyRow(await query(sql, PICK_WAITING, [settings.limit, settings.window, settings.probeMs]));
}

function onlyRow<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error('A select without a table returned no row.');
  return row;
}

/* Those that were not checked for longest come first, so every one is checked in the end. */
const TAKE_UNCHECKED = {
  name: 'take-unchecked-deliveries',
  text: `
UPDATE deliveries SET hinted_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM deliveries
  WHERE status IN ('pending', 'failed') AND hinted_at < now() - $2::double precision * interval '1 millisecond'
    AND (claimed_until IS NULL OR claimed_until <= now())
  ORDER BY hinted_at LIMIT $1 FOR UPDATE SKIP LOCKED
))
RETURNING id AS "deliveryId", hint AS "jobNumber"`,
  row: jobSchema,
};

/** Up to `limit` jobs that no worker has claimed and that were not checked for `olderThanMs`. */
export function takeUncheckedDeliveries(
  sql: Sql,
  settings: { limit: number; olderThanMs: number },
): Promise<PickedDelivery[]> {
  return query(sql, TAKE_UNCHECKED, [settings.limit, settings.olderThanMs]);
}

const LOST = parameterRows<PickedDelivery>('lost', {
  id: ['text', ({ deliveryId }) => deliveryId],
  number: ['int', ({ jobNumber }) => jobNumber],
});

/* A delivery that is locked is changing, so its job is not lost. Waiting for it could deadlock (decision 8). */
const REISSUE = {
  name: 'reissue-delivery-jobs',
  text: `
UPDATE deliveries SET hint = deliveries.hint + 1
WHERE deliveries.id = ANY (ARRAY(
  SELECT deliveries.id FROM ${LOST.from}
  JOIN deliveries ON deliveries.id = lost.id AND deliveries.hint = lost.number
  WHERE deliveries.status IN ('pending', 'failed') AND deliveries.hinted_at IS NOT NULL
  FOR NO KEY UPDATE OF deliveries SKIP LOCKED
))
RETURNING deliveries.id AS "deliveryId", deliveries.hint AS "jobNumber"`,
  row: jobSchema,
};

/** New numbers for jobs that were lost: a job with a new number is a new job, whatever became of the old one. */
export function reissueDeliveryJobs(sql: Sql, jobs: readonly PickedDelivery[]): Promise<PickedDelivery[]> {
  return query(sql, REISSUE, LOST.values(jobs));
}

const BACKLOG = {
  name: 'delivery-backlog',
  text: `
SELECT count(*)::int AS due, coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0)::double precision AS "oldestSeconds"
FROM (SELECT next_attempt_at FROM deliveries
      WHERE status IN ('pending', 'failed') AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT 100000) AS due`,
  row: z.object({ due: z.int(), oldestSeconds: z.number() }),
};

/** How many deliveries are due (counted up to 100,000), and how long the oldest of them waits. */
export async function readDeliveryBacklog(sql: Sql): Promise<{ due: number; oldestSeconds: number }> {
  const [backlog] = await query(sql, BACKLOG, []);
  return backlog ?? { due: 0, oldestSeconds: 0 };
}

const OPEN_RECEIVERS = {
  name: 'count-open-receivers',
  text: `SELECT count(*)::int AS count FROM webhook_receivers WHERE open_until IS NOT NULL`,
  row: z.object({ count: z.int() }),
};

/** Receivers whose circuit breaker is open or half-open. */
export async function countOpenReceivers(sql: Sql): Promise<number> {
  return onlyRow(await query(sql, OPEN_RECEIVERS, [])).count;
}

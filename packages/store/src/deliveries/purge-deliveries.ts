import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const countSchema = z.object({ count: z.int() });

/* In batches, since an endpoint may have any number of deliveries; what a worker holds is its to record. */
const BURY = {
  name: 'bury-deliveries',
  text: `
WITH waiting AS MATERIALIZED (
  SELECT found.id FROM webhook_endpoints CROSS JOIN LATERAL (
    SELECT id FROM deliveries
    WHERE lane = webhook_endpoints.id AND status IN ('pending', 'failed')
      AND (claimed_until IS NULL OR claimed_until <= now())
    LIMIT $1 FOR UPDATE SKIP LOCKED
  ) AS found
  WHERE NOT webhook_endpoints.enabled LIMIT $1
), buried AS (
  UPDATE deliveries SET status = 'dead', hinted_at = NULL, claimed_until = NULL
  FROM waiting WHERE deliveries.id = waiting.id RETURNING deliveries.id
)
SELECT count(*)::int AS count FROM buried`,
  row: countSchema,
};

/** Gives up to `limit` deliveries up that wait for endpoints which are disabled; returns how many there were. */
export async function deadLetterDeliveries(sql: Sql, limit: number): Promise<number> {
  const [buried] = await query(sql, BURY, [limit]);
  return buried?.count ?? 0;
}

/* Such as waits behind a receiver that has not answered for days, and so was never tried. */
const EXPIRE = {
  name: 'expire-deliveries',
  text: `
WITH expired AS MATERIALIZED (
  SELECT id FROM deliveries
  WHERE status IN ('pending', 'failed') AND next_attempt_at < now() - $1::double precision * interval '1 millisecond'
    AND (claimed_until IS NULL OR claimed_until <= now())
  ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
), dead AS (
  UPDATE deliveries SET status = 'dead', hinted_at = NULL, claimed_until = NULL
  WHERE id = ANY (ARRAY(SELECT id FROM expired)) RETURNING id
)
SELECT count(*)::int AS count FROM dead`,
  row: countSchema,
};

/** Gives up to `limit` deliveries up that have been due for `afterMs`; returns how many there were. */
export async function expireDeliveries(
  sql: Sql,
  settings: { afterMs: number; limit: number },
): Promise<number> {
  const [expired] = await query(sql, EXPIRE, [settings.afterMs, settings.limit]);
  return expired?.count ?? 0;
}

const FORGET = {
  name: 'forget-deliveries',
  text: `
WITH over AS MATERIALIZED (
  SELECT id FROM deliveries WHERE status = $1 AND status IN ('delivered', 'dead')
    AND created_at < now() - $2::double precision * interval '1 millisecond'
  ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM deliveries USING over WHERE deliveries.id = over.id RETURNING deliveries.id
)
SELECT count(*)::int AS count FROM gone`,
  row: countSchema,
};

const FORGET_EVENTS = {
  name: 'forget-tenant-events',
  text: `
WITH old AS MATERIALIZED (
  SELECT id FROM tenant_events WHERE created_at < now() - $1::double precision * interval '1 millisecond'
  ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM tenant_events USING old WHERE tenant_events.id = old.id RETURNING tenant_events.id
)
SELECT count(*)::int AS count FROM gone`,
  row: countSchema,
};

/* A day later: a transaction that saw it before it was deleted may have made a delivery for it since. */
const FORGET_ENDPOINTS = {
  name: 'forget-webhook-endpoints',
  text: `
WITH gone AS (
  DELETE FROM webhook_endpoints
  WHERE NOT enabled AND deleted_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.endpoint_id = webhook_endpoints.id)
  RETURNING id
)
SELECT count(*)::int AS count FROM gone`,
  row: countSchema,
};

/* Nothing waits for them, and nobody has written to them for long. */
const FORGET_RECEIVERS = {
  name: 'forget-webhook-receivers',
  text: `
DELETE FROM webhook_receivers WHERE id = ANY (ARRAY(
  SELECT id FROM webhook_receivers WHERE try_at = 'infinity' AND open_until < now() - interval '1 day'
  LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Deletes up to `limit` each of what is past its time: deliveries that arrived after `keepMs`, dead ones and
 * events that are no turn's after twice that, and endpoints that were deleted and have none left. Returns how
 * many of the most numerous kind there were: as many as `limit` means that there may be more.
 */
export async function purgeDeliveries(
  sql: Sql,
  settings: { keepMs: number; limit: number },
): Promise<number> {
  const { keepMs, limit } = settings;
  const [delivered] = await query(sql, FORGET, ['delivered', keepMs, limit]);
  const [dead] = await query(sql, FORGET, ['dead', 2 * keepMs, limit]);
  const [events] = await query(sql, FORGET_EVENTS, [2 * keepMs, limit]);
  await query(sql, FORGET_ENDPOINTS, []);
  await query(sql, FORGET_RECEIVERS, [limit]);
  return Math.max(delivered?.count ?? 0, dead?.count ?? 0, events?.count ?? 0);
}

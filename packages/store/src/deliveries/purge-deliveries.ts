import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const countSchema = z.object({ count: z.int() });

/*
 * In batches, since an endpoint may have any number of deliveries. Claimed deliveries are left to their
 * workers.
 */
const DEAD_LETTER = {
  name: 'dead-letter-deliveries',
  text: `
WITH waiting AS MATERIALIZED (
  SELECT found.id FROM webhook_endpoints CROSS JOIN LATERAL (
    SELECT id FROM deliveries
    WHERE lane = webhook_endpoints.id AND status IN ('pending', 'failed')
      AND (claimed_until IS NULL OR claimed_until <= now())
    LIMIT $1 FOR UPDATE SKIP LOCKED
  ) AS found
  WHERE NOT webhook_endpoints.enabled LIMIT $1
), dead AS (
  UPDATE deliveries SET status = 'dead', hinted_at = NULL, claimed_until = NULL
  FROM waiting WHERE deliveries.id = waiting.id RETURNING deliveries.id
)
SELECT count(*)::int AS count FROM dead`,
  row: countSchema,
};

/** Ends up to `limit` deliveries that wait for disabled endpoints as dead letters. Returns how many. */
export async function deadLetterDeliveries(sql: Sql, limit: number): Promise<number> {
  const [dead] = await query(sql, DEAD_LETTER, [limit]);
  return dead?.count ?? 0;
}

/* Such as deliveries behind a receiver that has failed for days, which were never attempted. */
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

/** Ends up to `limit` deliveries that have been due for `afterMs` as dead letters. Returns how many. */
export async function expireDeliveries(
  sql: Sql,
  settings: { afterMs: number; limit: number },
): Promise<number> {
  const [expired] = await query(sql, EXPIRE, [settings.afterMs, settings.limit]);
  return expired?.count ?? 0;
}

const PURGE = {
  name: 'purge-deliveries',
  text: `
WITH old AS MATERIALIZED (
  SELECT id FROM deliveries WHERE status = $1 AND status IN ('delivered', 'dead')
    AND created_at < now() - $2::double precision * interval '1 millisecond'
  ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED
), deleted AS (
  DELETE FROM deliveries USING old WHERE deliveries.id = old.id RETURNING deliveries.id
)
SELECT count(*)::int AS count FROM deleted`,
  row: countSchema,
};

const PURGE_EVENTS = {
  name: 'purge-tenant-events',
  text: `
WITH old AS MATERIALIZED (
  SELECT id FROM tenant_events WHERE created_at < now() - $1::double precision * interval '1 millisecond'
  ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
), deleted AS (
  DELETE FROM tenant_events USING old WHERE tenant_events.id = old.id RETURNING tenant_events.id
)
SELECT count(*)::int AS count FROM deleted`,
  row: countSchema,
};

/* A day later: a transaction that read the endpoint before its deletion may have added a delivery since. */
const PURGE_ENDPOINTS = {
  name: 'purge-webhook-endpoints',
  text: `
WITH deleted AS (
  DELETE FROM webhook_endpoints
  WHERE NOT enabled AND deleted_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.endpoint_id = webhook_endpoints.id)
  RETURNING id
)
SELECT count(*)::int AS count FROM deleted`,
  row: countSchema,
};

/* No delivery waits for them, and none was sent to them for a day. */
const PURGE_RECEIVERS = {
  name: 'purge-webhook-receivers',
  text: `
DELETE FROM webhook_receivers WHERE id = ANY (ARRAY(
  SELECT id FROM webhook_receivers WHERE try_at = 'infinity' AND open_until < now() - interval '1 day'
  LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Deletes up to `limit` rows of each kind whose retention has passed: delivered deliveries after `keepMs`,
 * dead letters and events of the tenant after twice that, and deleted endpoints without deliveries. Returns
 * the largest number of one kind: if it equals `limit`, there may be more.
 */
export async function purgeDeliveries(
  sql: Sql,
  settings: { keepMs: number; limit: number },
): Promise<number> {
  const { keepMs, limit } = settings;
  const [delivered] = await query(sql, PURGE, ['delivered', keepMs, limit]);
  const [dead] = await query(sql, PURGE, ['dead', 2 * keepMs, limit]);
  const [events] = await query(sql, PURGE_EVENTS, [2 * keepMs, limit]);
  await query(sql, PURGE_ENDPOINTS, []);
  await query(sql, PURGE_RECEIVERS, [limit]);
  return Math.max(delivered?.count ?? 0, dead?.count ?? 0, events?.count ?? 0);
}

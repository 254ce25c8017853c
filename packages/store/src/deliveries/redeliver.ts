import type { Delivery } from '@turnpike/contract';
import { z } from 'zod';
import { readDelivery } from './deliveries.ts';
import { query, type Sql } from '../database/sql.ts';
import { HAS_ITS_CONFIG } from './has-its-config.ts';

/** The most deliveries that one request redelivers. */
const MOST_AT_ONCE = 1_000;

/* A worker that holds the delivery may still record how its attempt ended. */
const BEGIN_AGAIN = `
status = 'pending', fresh = true, tries = 0, begun_at = now(), next_attempt_at = now(), delivered_at = NULL,
hinted_at = CASE WHEN deliveries.claimed_until > now() THEN deliveries.hinted_at END`;

const REDELIVER = {
  name: 'redeliver',
  text: `
UPDATE deliveries SET ${BEGIN_AGAIN}
WHERE id = $2 AND tenant_id = $1 AND status <> 'pending'
  AND (endpoint_id IS NULL OR EXISTS (
    SELECT 1 FROM webhook_endpoints WHERE webhook_endpoints.id = deliveries.endpoint_id AND enabled))
  AND ${HAS_ITS_CONFIG}
RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Begins a delivery again from its first attempt, whatever its status; one that was not attempted yet stays
 * as it is. Returns the delivery after that, or null if there is none. `begun` is false if its endpoint is
 * disabled, or its push configuration was removed or has another URL by now.
 */
export async function redeliver(
  sql: Sql,
  tenantId: string,
  deliveryId: string,
): Promise<{ delivery: Delivery; begun: boolean } | null> {
  const begun = await query(sql, REDELIVER, [tenantId, deliveryId]);
  const delivery = await readDelivery(sql, tenantId, deliveryId);
  return delivery && { delivery, begun: begun.length > 0 || delivery.status === 'pending' };
}

const REDELIVER_ALL = {
  name: 'redeliver-all',
  text: `
WITH chosen AS MATERIALIZED (
  SELECT id, created_at FROM deliveries
  WHERE endpoint_id = $2 AND tenant_id = $1 AND created_at >= $3 AND created_at <= $4 AND status = ANY ($5)
  ORDER BY created_at, id LIMIT ${MOST_AT_ONCE} FOR UPDATE
), begun AS (
  UPDATE deliveries SET ${BEGIN_AGAIN} FROM chosen WHERE deliveries.id = chosen.id
)
SELECT count(*)::int AS redelivered,
  CASE WHEN count(*) = ${MOST_AT_ONCE} THEN max(created_at) END AS through FROM chosen`,
  row: z.object({ redelivered: z.int(), through: z.date().nullable() }),
};

/**
 * Begins deliveries of an endpoint in a period again, oldest first, up to the most for one request. `through`
 * is the time of the last one if there may be more.
 */
export async function redeliverAll(
  sql: Sql,
  which: {
    tenantId: string;
    endpointId: string;
    since: Date;
    until: Date;
    statuses: readonly ('failed' | 'delivered' | 'dead')[];
  },
): Promise<{ redelivered: number; through: Date | null }> {
  const values = [which.tenantId, which.endpointId, which.since, which.until, which.statuses];
  const [answer] = await query(sql, REDELIVER_ALL, values);
  return answer ?? { redelivered: 0, through: null };
}

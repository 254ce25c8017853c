import {
  deliveryStatusSchema,
  type Delivery,
  type DeliveryAttempt,
  type DeliveryStatus,
} from '@turnpike/contract';
import { z } from 'zod';
import { inRange, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { selectList } from '../database/select-list.ts';
import { query, type Sql } from '../database/sql.ts';

const storedDeliverySchema = z.object({
  id: z.string(),
  eventId: z.string(),
  type: z.string(),
  endpointId: z.string().nullable(),
  url: z.string(),
  turnId: z.string().nullable(),
  status: deliveryStatusSchema,
  attempts: z.int(),
  nextAttemptAt: z.date(),
  createdAt: z.date(),
  deliveredAt: z.date().nullable(),
});

const COLUMNS = selectList(storedDeliverySchema, 'deliveries', {
  url: 'coalesce(deliveries.url, (SELECT url FROM webhook_endpoints WHERE webhook_endpoints.id = deliveries.endpoint_id))',
});

const deliveryRow = storedDeliverySchema.transform((row): Delivery => ({
  id: row.id,
  object: 'delivery',
  event_id: row.eventId,
  type: row.type,
  webhook_endpoint_id: row.endpointId,
  url: row.url,
  turn_id: row.turnId,
  status: row.status,
  attempts: row.attempts,
  next_attempt_at:
    row.status === 'pending' || row.status === 'failed' ? row.nextAttemptAt.toISOString() : null,
  created_at: row.createdAt.toISOString(),
  delivered_at: row.deliveredAt?.toISOString() ?? null,
}));

export interface DeliveryFilter extends TimeRange {
  endpointId?: string | undefined;
  turnId?: string | undefined;
  /** Any of these statuses. */
  statuses?: readonly DeliveryStatus[] | undefined;
  type?: string | undefined;
}

/** What a list is filtered by is in its text, so that each list can use the index that fits. */
const list = (name: string, which: string) => ({
  name,
  text: `
SELECT ${COLUMNS} FROM deliveries
WHERE deliveries.tenant_id = $1 AND ${inRange('deliveries')}
  AND ($7::text[] IS NULL OR deliveries.status = ANY ($7)) AND ($8::text IS NULL OR deliveries.type = $8) AND ${which}
ORDER BY deliveries.id DESC LIMIT $6`,
  row: deliveryRow,
});

const LIST = list('list-deliveries', '$9::text IS NULL');
const LIST_OF_ENDPOINT = list('list-deliveries-of-endpoint', 'deliveries.endpoint_id = $9');
const LIST_OF_TURN = list('list-deliveries-of-turn', 'deliveries.turn_id = $9');

/** A tenant's deliveries, newest first, those after the cursor. */
export function listDeliveries(
  sql: Sql,
  tenantId: string,
  page: ListPage,
  filter: DeliveryFilter,
): Promise<Delivery[]> {
  const { endpointId, turnId, statuses, type } = filter;
  const range = rangeValues('delivery', page, filter);
  const values = [tenantId, ...range, statuses ?? null, type ?? null];
  if (turnId !== undefined) return query(sql, LIST_OF_TURN, [...values, turnId]);
  if (endpointId !== undefined) return query(sql, LIST_OF_ENDPOINT, [...values, endpointId]);
  return query(sql, LIST, [...values, null]);
}

const READ = {
  name: 'read-delivery',
  text: `SELECT ${COLUMNS} FROM deliveries WHERE id = $2 AND tenant_id = $1`,
  row: deliveryRow,
};

/** Null if the delivery does not exist or belongs to another tenant. */
export async function readDelivery(sql: Sql, tenantId: string, deliveryId: string): Promise<Delivery | null> {
  const [delivery] = await query(sql, READ, [tenantId, deliveryId]);
  return delivery ?? null;
}

const storedAttemptSchema = z.object({
  number: z.int(),
  startedAt: z.date(),
  durationMs: z.int(),
  responseStatus: z.int().nullable(),
  responseBody: z.string().nullable(),
  errorCode: z.string().nullable(),
});

const ATTEMPTS = {
  name: 'list-delivery-attempts',
  text: `
SELECT ${selectList(storedAttemptSchema, 'delivery_attempts')} FROM delivery_attempts
WHERE delivery_id = $1 ORDER BY number`,
  row: storedAttemptSchema.transform((row): DeliveryAttempt => ({
    number: row.number,
    started_at: row.startedAt.toISOString(),
    duration_ms: row.durationMs,
    response_status: row.responseStatus,
    response_body: row.responseBody,
    error_code: row.errorCode,
  })),
};

/** The log of a delivery's attempts, oldest first. */
export function listDeliveryAttempts(sql: Sql, deliveryId: string): Promise<DeliveryAttempt[]> {
  return query(sql, ATTEMPTS, [deliveryId]);
}

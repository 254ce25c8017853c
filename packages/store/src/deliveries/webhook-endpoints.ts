import {
  webhookEventTypeSchema,
  webhookFormatSchema,
  type CreateWebhookEndpoint,
  type UpdateWebhookEndpoint,
  type WebhookEndpoint,
  type WebhookEventType,
} from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { selectList } from '../database/select-list.ts';
import { json, query, type Sql } from '../database/sql.ts';

const storedEndpointSchema = z.object({
  id: z.string(),
  url: z.string(),
  description: z.string(),
  events: z.array(webhookEventTypeSchema),
  format: webhookFormatSchema,
  enabled: z.boolean(),
  disabledReason: z.enum(['requested', 'gone', 'failing']).nullable(),
  disabledAt: z.date().nullable(),
  failingSince: z.date().nullable(),
  createdAt: z.date(),
  updatedAt: z.date(),
});

const COLUMNS = selectList(storedEndpointSchema, 'webhook_endpoints');

const endpointRow = storedEndpointSchema.transform((row): WebhookEndpoint => ({
  id: row.id,
  object: 'webhook_endpoint',
  url: row.url,
  events: row.events,
  description: row.description,
  format: row.format,
  enabled: row.enabled,
  disabled_reason: row.disabledReason,
  disabled_at: row.disabledAt?.toISOString() ?? null,
  failing_since: row.failingSince?.toISOString() ?? null,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
}));

const INSERT = {
  name: 'insert-webhook-endpoint',
  text: `
INSERT INTO webhook_endpoints (id, tenant_id, url, events, description, format) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING ${COLUMNS}`,
  row: endpointRow,
};

export async function insertWebhookEndpoint(
  sql: Sql,
  endpoint: Omit<CreateWebhookEndpoint, 'events'> & {
    id: string;
    tenantId: string;
    events: readonly WebhookEventType[];
  },
): Promise<WebhookEndpoint> {
  const { id, tenantId, url, events, description, format } = endpoint;
  const [inserted] = await query(sql, INSERT, [id, tenantId, url, events, description, format]);
  if (inserted === undefined) throw new Error('An insert returned no row.');
  return inserted;
}

/* Enabling an endpoint resets its count of failures. */
const UPDATE = {
  name: 'update-webhook-endpoint',
  text: `
UPDATE webhook_endpoints
SET url = coalesce($3, url), events = coalesce($4::text[], events), description = coalesce($5, description),
    enabled = coalesce($6::boolean, enabled), updated_at = now(),
    disabled_at = CASE WHEN $6::boolean THEN NULL WHEN NOT $6::boolean AND enabled THEN now() ELSE disabled_at END,
    disabled_reason = CASE WHEN $6::boolean THEN NULL
                           WHEN NOT $6::boolean AND enabled THEN 'requested' ELSE disabled_reason END,
    failing_since = CASE WHEN $6::boolean THEN NULL ELSE failing_since END,
    failures = CASE WHEN $6::boolean THEN 0 ELSE failures END
WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL
RETURNING ${COLUMNS}`,
  row: endpointRow,
};

/** Changes the given fields. Null if there is no such endpoint. */
export async function updateWebhookEndpoint(
  sql: Sql,
  endpoint: { id: string; tenantId: string; change: UpdateWebhookEndpoint },
): Promise<WebhookEndpoint | null> {
  const { url, events, description, enabled } = endpoint.change;
  const change = [url ?? null, events ?? null, description ?? null, enabled ?? null];
  const [updated] = await query(sql, UPDATE, [endpoint.id, endpoint.tenantId, ...change]);
  return updated ?? null;
}

/*
 * Its deliveries may be many, so they are deleted later in batches; until then the row stays, invisible to
 * clients.
 */
const DELETE = {
  name: 'delete-webhook-endpoint',
  text: `
WITH deleted AS (
  UPDATE webhook_endpoints
  SET deleted_at = now(), enabled = false, disabled_reason = 'deleted', disabled_at = coalesce(disabled_at, now())
  WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL
  RETURNING id
), deleted_secrets AS (
  DELETE FROM webhook_secrets USING deleted WHERE webhook_secrets.owner = deleted.id
)
SELECT id FROM deleted`,
  row: z.object({ id: z.string() }),
};

/** False if there is no such endpoint. */
export async function deleteWebhookEndpoint(
  sql: Sql,
  tenantId: string,
  endpointId: string,
): Promise<boolean> {
  const deleted = await query(sql, DELETE, [endpointId, tenantId]);
  return deleted.length > 0;
}

/** Null if the endpoint does not exist or belongs to another tenant. */
export async function readWebhookEndpoint(
  database: Database,
  tenantId: string,
  endpointId: string,
): Promise<WebhookEndpoint | null> {
  const row = await database.prisma.webhookEndpoint.findFirst({
    where: { id: endpointId, tenantId, deletedAt: null },
  });
  return row === null ? null : endpointRow.parse(row);
}

/** A tenant's endpoints, newest first, those after `cursor` (the id of the last one seen). */
export async function listWebhookEndpoints(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number },
): Promise<WebhookEndpoint[]> {
  const rows = await database.prisma.webhookEndpoint.findMany({
    where: { tenantId, deletedAt: null, ...(page.cursor === null ? {} : { id: { lt: page.cursor } }) },
    orderBy: { id: 'desc' },
    take: page.limit,
  });
  return rows.map((row) => endpointRow.parse(row));
}

const ANNOUNCE = {
  name: 'announce-event',
  text: `SELECT turnpike_announce($1, $2, $3, $4::jsonb, $5)::text AS announced`,
  row: z.object({ announced: z.string() }),
};

/**
 * Records an event of the tenant that belongs to no turn, with its deliveries: to the endpoints that
 * subscribed, or to `onlyEndpoint`. Part of the caller's transaction if `sql` is in one.
 */
export async function announceEvent(
  sql: Sql,
  event: {
    id: string;
    tenantId: string;
    type: string;
    payload: Record<string, unknown>;
    onlyEndpoint?: string;
  },
): Promise<void> {
  const { id, tenantId, type, payload, onlyEndpoint } = event;
  await query(sql, ANNOUNCE, [tenantId, id, type, json(payload), onlyEndpoint ?? null]);
}

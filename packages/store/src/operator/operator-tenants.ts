import type { OperatorTenant } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { COUNTS, countsOf, shownCounts, turnCountsSchema } from './turn-counts.ts';

const tenantRow = turnCountsSchema
  .extend({
    id: z.string(),
    name: z.string(),
    pausedAt: z.date().nullable(),
    maxRunningTurns: z.int(),
    weight: z.number(),
    createdAt: z.date(),
  })
  .transform((row): OperatorTenant => ({
    id: row.id,
    object: 'tenant',
    name: row.name,
    paused_at: row.pausedAt?.toISOString() ?? null,
    max_running_turns: row.maxRunningTurns,
    weight: row.weight,
    ...shownCounts(row),
    created_at: row.createdAt.toISOString(),
  }));

const SELECT = `
SELECT tenants.id, tenants.name, tenants.paused_at AS "pausedAt", tenants.max_running_turns AS "maxRunningTurns",
  tenants.weight, tenants.created_at AS "createdAt", ${COUNTS}`;

const LIST = {
  name: 'list-operator-tenants',
  text: `
WITH page AS MATERIALIZED (
  SELECT * FROM tenants
  WHERE ($1::text IS NULL OR id < $1) AND (NOT $2 OR paused_at IS NOT NULL)
    AND ($3::text IS NULL OR id = $3 OR position(lower($3) IN lower(name)) > 0)
  ORDER BY id DESC LIMIT $4
)
${SELECT} FROM page AS tenants ${countsOf('tenant_id', 'tenants.id')} ORDER BY tenants.id DESC`,
  row: tenantRow,
};

/** Tenants, newest first, those after `cursor` (the id of the last one seen). `search`: an id, or a part of a name. */
export function listOperatorTenants(
  sql: Sql,
  page: { cursor: string | null; limit: number },
  filter: { pausedOnly: boolean; search: string | null },
): Promise<OperatorTenant[]> {
  return query(sql, LIST, [page.cursor, filter.pausedOnly, filter.search, page.limit]);
}

const READ = {
  name: 'read-operator-tenant',
  text: `${SELECT} FROM tenants ${countsOf('tenant_id', 'tenants.id')} WHERE tenants.id = $1`,
  row: tenantRow,
};

/** Null if there is no such tenant. */
export async function readOperatorTenant(sql: Sql, tenantId: string): Promise<OperatorTenant | null> {
  const [tenant] = await query(sql, READ, [tenantId]);
  return tenant ?? null;
}

/*
 * Invariant: after the commit of a pause no turn of the tenant is dispatched, and none that is can be claimed: who
 * dispatches reads the pause under the lock that is held here, and a claim needs `dispatched_at`.
 */
const LOCK = {
  name: 'lock-dispatch-of-tenant',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('turnpike.dispatch ' || $1, 0))::text AS locked`,
  row: z.object({ locked: z.string() }),
};
const SET_PAUSED = {
  name: 'set-tenant-paused',
  text: `
WITH tenant AS (
  UPDATE tenants SET paused_at = CASE WHEN $2 THEN coalesce(paused_at, now()) END WHERE id = $1 RETURNING id
), taken_back AS (
  UPDATE turns SET dispatched_at = NULL
  WHERE $2 AND tenant_id = $1 AND status = 'queued' AND dispatched_at IS NOT NULL
)
SELECT id FROM tenant`,
  row: z.object({ id: z.string() }),
};

/**
 * Pauses a tenant, or resumes it: turns that run go on, others wait meanwhile. In the caller's transaction. False if
 * there is no such tenant. After a resume its turns must be dispatched.
 */
export async function setTenantPaused(sql: Sql, tenantId: string, isPaused: boolean): Promise<boolean> {
  await query(sql, LOCK, [tenantId]);
  return (await query(sql, SET_PAUSED, [tenantId, isPaused])).length > 0;
}

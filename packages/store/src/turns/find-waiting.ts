import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { isReady } from './dispatch-turns.ts';

/*
 * For the reconciler: what is left when a process died between a commit and its dispatch. Both statements
 * step through an index from one distinct value to the next, so a session or a tenant with a hundred thousand
 * waiting turns costs one look-up.
 */

const UNREADY_SESSIONS = {
  name: 'find-unready-sessions',
  text: `
WITH RECURSIVE walk AS (
  (SELECT session_id, tenant_id, 1 AS place FROM turns
   WHERE status = 'queued' AND ready_at IS NULL AND session_id > $1 ORDER BY session_id LIMIT 1)
  UNION ALL
  SELECT next.session_id, next.tenant_id, walk.place + 1
  FROM walk CROSS JOIN LATERAL (
    SELECT session_id, tenant_id FROM turns
    WHERE status = 'queued' AND ready_at IS NULL AND session_id > walk.session_id ORDER BY session_id LIMIT 1
  ) AS next
  WHERE walk.place < $2
)
SELECT session_id AS "sessionId", tenant_id AS "tenantId" FROM walk`,
  row: z.object({ sessionId: z.string(), tenantId: z.string() }),
};

/** Up to `limit` sessions, after the id `after`, whose head no dispatch has marked as ready. */
export function findUnreadySessions(
  sql: Sql,
  after: string,
  limit: number,
): Promise<{ sessionId: string; tenantId: string }[]> {
  return query(sql, UNREADY_SESSIONS, [after, limit]);
}

const READY_TENANTS = {
  name: 'find-ready-tenants',
  text: `
WITH RECURSIVE walk AS (
  (SELECT tenant_id, 1 AS place FROM turns
   WHERE ${isReady('turns')} AND tenant_id > $1
   ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT next.tenant_id, walk.place + 1
  FROM walk CROSS JOIN LATERAL (
    SELECT tenant_id FROM turns
    WHERE ${isReady('turns')} AND tenant_id > walk.tenant_id
    ORDER BY tenant_id LIMIT 1
  ) AS next
  WHERE walk.place < $2
)
SELECT tenant_id AS "tenantId" FROM walk`,
  row: z.object({ tenantId: z.string() }),
};

/** Up to `limit` tenants, after the id `after`, with ready turns that are not dispatched. */
export async function findReadyTenants(sql: Sql, after: string, limit: number): Promise<string[]> {
  const tenants = await query(sql, READY_TENANTS, [after, limit]);
  return tenants.map((row) => row.tenantId);
}

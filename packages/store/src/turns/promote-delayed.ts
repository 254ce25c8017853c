import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Invariant: a turn whose time has come is found by that time alone, however many turns of other tenants
 * wait; until then no index that dispatch reads contains it. Its position among its tenant's turns counts
 * from when its time came, not from when it was submitted.
 *
 * Returns one row per tenant, for the dispatch that follows.
 */
const PROMOTE = {
  name: 'promote-delayed-turns',
  text: `
WITH due AS MATERIALIZED (
  SELECT id FROM turns
  WHERE status = 'queued' AND available_at <= now()
  ORDER BY available_at LIMIT $1 FOR UPDATE SKIP LOCKED
), promoted AS (
  UPDATE turns
  SET available_at = NULL,
      ready_at = CASE WHEN turns.ready_at IS NOT NULL THEN greatest(turns.ready_at, turns.available_at) END
  FROM due WHERE turns.id = due.id
  RETURNING turns.tenant_id
)
SELECT tenant_id AS "tenantId", count(*)::int AS turns FROM promoted GROUP BY tenant_id`,
  row: z.object({ tenantId: z.string(), turns: z.int() }),
};

/**
 * Makes up to `limit` delayed turns available whose time has come, longest due first. Returns their number
 * for each tenant.
 */
export function promoteDelayed(sql: Sql, limit: number): Promise<{ tenantId: string; turns: number }[]> {
  return query(sql, PROMOTE, [limit]);
}

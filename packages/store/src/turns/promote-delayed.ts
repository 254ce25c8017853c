import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Invariant: a turn whose time has come is found by its time alone, whoever else's waits for another; and
 * until then it is in no index that dispatch reads. In the line of its tenant it stands from when its time
 * came, not from when it was submitted.
 *
 * The tenants are returned one row for each, since it is their turns that are dispatched next.
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

/** Lets up to `limit` turns run whose time has come, the longest due first; whose they are, and how many. */
export function promoteDelayed(sql: Sql, limit: number): Promise<{ tenantId: string; turns: number }[]> {
  return query(sql, PROMOTE, [limit]);
}

import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const turnSchema = z.object({ turnId: z.string(), epoch: z.int(), jobNumber: z.int() });
export type DispatchedTurn = z.infer<typeof turnSchema>;

export interface Dispatched {
  /** To be enqueued. */
  turns: DispatchedTurn[];
  /** Tenants whose turns wait, and that have no place for them. */
  full: string[];
}

/** SQL: true where the tenant of `turn` has turns that may run and are not dispatched. */
export const waitsForDispatch = (turn: string): string => `EXISTS (
  SELECT 1 FROM turns AS others
  WHERE others.tenant_id = ${turn}.tenant_id AND others.status = 'queued' AND others.ready_at IS NOT NULL
    AND others.dispatched_at IS NULL AND others.available_at IS NULL)`;

/* The invariant stands with the function, `sql/functions/turnpike_dispatch.sql`. */
const DISPATCH = {
  name: 'dispatch-turns',
  text: `
SELECT turn_id AS "turnId", turn_epoch AS epoch, turn_hint AS "jobNumber", turn_tenant AS "tenantId"
FROM turnpike_dispatch($1, $2)`,
  row: z.union([turnSchema, z.object({ turnId: z.null(), tenantId: z.string() })]),
};

/**
 * Picks the turns that may run and marks them as dispatched, in one statement.
 * `sessionIds`: whose head may have changed. `tenantIds`: who may have a turn or a place to give.
 */
export async function dispatchTurns(
  sql: Sql,
  sessionIds: readonly string[],
  tenantIds: readonly string[],
): Promise<Dispatched> {
  const dispatched: Dispatched = { turns: [], full: [] };
  for (const row of await query(sql, DISPATCH, [sessionIds.toSorted(), tenantIds])) {
    if (row.turnId === null) dispatched.full.push(row.tenantId);
    else dispatched.turns.push(row);
  }
  return dispatched;
}

import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** A job for the queue. `epoch` is what a claim must find; `queue` is null for `turns`. */
export const dispatchedTurnSchema = z.object({
  turnId: z.string(),
  epoch: z.int(),
  jobNumber: z.int(),
  queue: z.string().nullable(),
});
export type DispatchedTurn = z.infer<typeof dispatchedTurnSchema>;

export interface Dispatched {
  /** To be added to the queue. */
  turns: DispatchedTurn[];
  /** Tenants with ready turns but no free slot. */
  full: string[];
}

/** A boolean SQL expression: a turn is ready and not dispatched. It is that of the index `turns_ready`. */
export const isReady = (turn: string): string =>
  `${turn}.status = 'queued' AND ${turn}.ready_at IS NOT NULL AND ${turn}.dispatched_at IS NULL AND ${turn}.available_at IS NULL`;

/** A boolean SQL expression: the tenant of `turn` has ready turns that are not dispatched. */
export const waitsForDispatch = (turn: string): string => `EXISTS (
  SELECT 1 FROM turns AS others WHERE others.tenant_id = ${turn}.tenant_id AND ${isReady('others')})`;

/* The invariants are in packages/store/sql/functions/turnpike_dispatch_by_pool.sql. */
const DISPATCH = {
  name: 'dispatch-turns',
  text: `
SELECT turn_id AS "turnId", turn_epoch AS epoch, turn_hint AS "jobNumber", turn_tenant AS "tenantId",
  turn_queue AS queue
FROM turnpike_dispatch_by_pool($1, $2, false)`,
  row: z.union([dispatchedTurnSchema, z.object({ turnId: z.null(), tenantId: z.string() })]),
};

/**
 * Picks turns that may run and marks them as dispatched, in one statement. `sessionIds`: sessions whose head
 * may have changed. `tenantIds`: tenants that may have a ready turn or a free slot.
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

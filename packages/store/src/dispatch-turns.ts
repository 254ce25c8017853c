import { z } from 'zod';
import { query, type Sql } from './sql.ts';

const dispatchedSchema = z.object({
  turnId: z.string(),
  epoch: z.int(),
  hint: z.int(),
  tenantId: z.string(),
});
export type DispatchedTurn = z.infer<typeof dispatchedSchema>;

/* The invariant stands with the function, in the migration that made it. */
const DISPATCH = {
  name: 'dispatch-turns',
  text: `
SELECT turn_id AS "turnId", turn_epoch AS epoch, turn_hint AS hint, turn_tenant AS "tenantId"
FROM turnpike_dispatch($1, $2)`,
  row: dispatchedSchema,
};

/**
 * Picks the turns that may run and marks them as dispatched, in one statement.
 * `sessionIds`: whose head may have changed. `tenantIds`: who may have a turn or a place to give.
 */
export function dispatchTurns(
  sql: Sql,
  sessionIds: readonly string[],
  tenantIds: readonly string[],
): Promise<DispatchedTurn[]> {
  return query(sql, DISPATCH, [sessionIds.toSorted(), tenantIds]);
}

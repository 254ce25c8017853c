import { type ChildTurn } from '@turnpike/contract';
import { query, type Sql } from '../database/sql.ts';
import { storedTurnSchema } from '../turns/stored-turn.ts';
import { selectList } from '../database/select-list.ts';

const childSchema = storedTurnSchema.pick({
  id: true,
  status: true,
  stopReason: true,
  output: true,
  error: true,
});

const READ = {
  name: 'read-child-turns',
  text: `SELECT ${selectList(childSchema, 'turns')} FROM turns WHERE turns.tenant_id = $1 AND turns.id = ANY ($2)`,
  row: childSchema,
};

/** Those of these turns that are there: one that was erased is not. */
export function readChildren(sql: Sql, tenantId: string, turnIds: readonly string[]): Promise<ChildTurn[]> {
  return query(sql, READ, [tenantId, turnIds]);
}

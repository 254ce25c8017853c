import type { Turn, TurnStatus } from '@turnpike/contract';
import { query, type Sql } from './sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from './stored-turn.ts';

const turnRow = storedTurnSchema.transform(asTurn);

const READ = {
  name: 'read-turn',
  text: `SELECT ${TURN_COLUMNS} FROM turns WHERE id = $2 AND tenant_id = $1`,
  row: turnRow,
};

/** Null for a turn that is not there, or is another tenant's. */
export async function readTurn(sql: Sql, tenantId: string, turnId: string): Promise<Turn | null> {
  const [turn] = await query(sql, READ, [tenantId, turnId]);
  return turn ?? null;
}

export interface TurnFilter {
  sessionId?: string | undefined;
  agentId?: string | undefined;
  status?: TurnStatus | undefined;
}

const LIST = {
  name: 'list-turns',
  text: `
SELECT ${TURN_COLUMNS} FROM turns
WHERE tenant_id = $1 AND ($2::text IS NULL OR id < $2)
  AND ($4::text IS NULL OR agent_id = $4) AND ($5::text IS NULL OR status = $5)
ORDER BY id DESC LIMIT $3`,
  row: turnRow,
};

const LIST_OF_SESSION = {
  name: 'list-turns-of-session',
  text: `
SELECT ${TURN_COLUMNS} FROM turns
WHERE tenant_id = $1 AND ($2::text IS NULL OR sequence < (SELECT sequence FROM turns WHERE id = $2 AND session_id = $6))
  AND ($4::text IS NULL OR agent_id = $4) AND ($5::text IS NULL OR status = $5) AND session_id = $6
ORDER BY sequence DESC LIMIT $3`,
  row: turnRow,
};

/** A tenant's turns, newest first, those after `cursor` (the id of the last one seen). */
export function listTurns(
  sql: Sql,
  tenantId: string,
  page: { cursor: string | null; limit: number },
  filter: TurnFilter,
): Promise<Turn[]> {
  const values = [tenantId, page.cursor, page.limit, filter.agentId ?? null, filter.status ?? null];
  return filter.sessionId === undefined
    ? query(sql, LIST, values)
    : query(sql, LIST_OF_SESSION, [...values, filter.sessionId]);
}

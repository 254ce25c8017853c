import type { Metadata, Turn, TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { inRange, labelValues, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { query, type Sql } from '../database/sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from './stored-turn.ts';

const turnRow = storedTurnSchema.transform(asTurn);

const READ = {
  name: 'read-turn',
  text: `SELECT ${TURN_COLUMNS} FROM turns WHERE id = $2 AND tenant_id = $1`,
  row: turnRow,
};

/** Null if the turn does not exist or belongs to another tenant. */
export async function readTurn(sql: Sql, tenantId: string, turnId: string): Promise<Turn | null> {
  const [turn] = await query(sql, READ, [tenantId, turnId]);
  return turn ?? null;
}

export interface TurnFilter extends TimeRange {
  sessionId?: string | undefined;
  /** Only child turns of this turn. */
  parentTurnId?: string | undefined;
  agentId?: string | undefined;
  /** Any of these statuses. */
  statuses?: readonly TurnStatus[] | undefined;
  /** Must have all of these entries. */
  metadata?: Metadata | undefined;
}

const FITS = `($7::text IS NULL OR turns.agent_id = $7) AND ($8::text[] IS NULL OR turns.status = ANY ($8))`;

const LIST = {
  name: 'list-turns',
  text: `
SELECT ${TURN_COLUMNS} FROM turns
WHERE turns.tenant_id = $1 AND ${inRange('turns')} AND ${FITS}
ORDER BY turns.id DESC LIMIT $6`,
  row: turnRow,
};

const LIST_LABELLED = {
  name: 'list-turns-labelled',
  text: `
SELECT ${TURN_COLUMNS} FROM turn_labels JOIN turns ON turns.id = turn_labels.turn_id
WHERE turn_labels.tenant_id = $1 AND turn_labels.key = $9 AND turn_labels.value = $10
  AND ${inRange('turns', 'turn_labels.turn_id')} AND ${FITS} AND turns.metadata @> $11::jsonb
ORDER BY turn_labels.turn_id DESC LIMIT $6`,
  row: turnRow,
};

const LIST_OF_SESSION = {
  name: 'list-turns-of-session',
  text: `
SELECT ${TURN_COLUMNS} FROM turns
WHERE turns.session_id = $10 AND turns.tenant_id = $1 AND ${inRange('turns')} AND ${FITS}
  AND ($9::jsonb IS NULL OR turns.metadata @> $9)
  AND ($11::text IS NULL OR turns.sequence < (SELECT sequence FROM turns WHERE id = $11 AND session_id = $10))
ORDER BY turns.sequence DESC LIMIT $6`,
  row: turnRow,
};

const LIST_OF_PARENT = {
  name: 'list-turns-of-parent',
  text: `
SELECT ${TURN_COLUMNS} FROM turns
WHERE turns.parent_turn_id = $9 AND turns.tenant_id = $1 AND ${inRange('turns')} AND ${FITS}
  AND ($10::jsonb IS NULL OR turns.metadata @> $10) AND ($11::text IS NULL OR turns.session_id = $11)
ORDER BY turns.id DESC LIMIT $6`,
  row: turnRow,
};

/** A tenant's turns, newest first, those after the cursor. */
export function listTurns(sql: Sql, tenantId: string, page: ListPage, filter: TurnFilter): Promise<Turn[]> {
  const { sessionId, parentTurnId, agentId, statuses, metadata } = filter;
  const label = labelValues(metadata);
  const fits = [agentId ?? null, statuses ?? null];
  if (parentTurnId !== undefined) {
    const range = rangeValues('turn', page, filter);
    const values = [tenantId, ...range, ...fits, parentTurnId, label?.[2] ?? null, sessionId ?? null];
    return query(sql, LIST_OF_PARENT, values);
  }
  if (sessionId !== undefined) {
    // Within a session, turns are in the order of their sequence numbers.
    const range = rangeValues('turn', { ...page, cursor: null }, filter);
    return query(sql, LIST_OF_SESSION, [
      tenantId,
      ...range,
      ...fits,
      label?.[2] ?? null,
      sessionId,
      page.cursor,
    ]);
  }
  const values = [tenantId, ...rangeValues('turn', page, filter), ...fits];
  return label === null ? query(sql, LIST, values) : query(sql, LIST_LABELLED, [...values, ...label]);
}

const COUNT = {
  name: 'count-turns',
  text: `
SELECT count(*)::int AS count FROM (
  SELECT 1 FROM turns
  WHERE turns.tenant_id = $1 AND ($2::text IS NULL OR turns.session_id = $2)
    AND ($3::text IS NULL OR turns.agent_id = $3) AND ($4::text[] IS NULL OR turns.status = ANY ($4))
  LIMIT $5
) AS counted`,
  row: z.object({ count: z.int() }),
};

/** How many of a tenant's turns there are, or `most` where there are more. */
export async function countTurns(
  sql: Sql,
  tenantId: string,
  { sessionId, agentId, statuses }: Pick<TurnFilter, 'sessionId' | 'agentId' | 'statuses'>,
  most: number,
): Promise<number> {
  const values = [tenantId, sessionId ?? null, agentId ?? null, statuses ?? null, most];
  const [counted] = await query(sql, COUNT, values);
  return counted?.count ?? 0;
}

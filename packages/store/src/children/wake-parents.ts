import { z } from 'zod';
import { inTransaction, query, type Sql } from '../database/sql.ts';
import { hasOpenChild } from './open-child.ts';
import { hasUntoldAction } from './tell-ancestors.ts';

/*
 * A child turn that has ended, and then looks for others, sees all that ended before it did: of the last two, at least
 * one sees that none is open. The parent is locked in whatever state it is in: it may be parked just now.
 */
const lock = (name: string, of: 'all' | 'free') => ({
  name,
  text: `
SELECT id FROM turns WHERE id = ANY ($1) AND finished_at IS NULL AND NOT ${hasOpenChild('turns')}
ORDER BY id FOR NO KEY UPDATE OF turns${of === 'free' ? ' SKIP LOCKED' : ''}`,
  row: z.object({ id: z.string() }),
});
const LOCK = lock('lock-parents', 'all');
const LOCK_FREE = lock('lock-free-parents', 'free');

/* Invariant: a parked turn is ready again when, and only when, none of its child turns is open. Locked before. */
const WAKE = {
  name: 'wake-parents',
  text: `
UPDATE turns SET waits_for_children = false, available_at = NULL, ready_at = now()
WHERE id = ANY ($1) AND status = 'queued' AND waits_for_children AND NOT ${hasOpenChild('turns')}
RETURNING id AS "turnId", session_id AS "sessionId", tenant_id AS "tenantId"`,
  row: z.object({ turnId: z.string(), sessionId: z.string(), tenantId: z.string() }),
};
export type WokenParent = z.infer<typeof WAKE.row>;

/**
 * Makes those of these turns ready that are parked and whose child turns have all ended. Without `waits`, those that
 * are locked are left out.
 */
export function wakeParents(
  sql: Sql,
  turnIds: readonly string[],
  { waits }: { waits: boolean },
): Promise<WokenParent[]> {
  return inTransaction(sql, async (transaction) => {
    const locked = await query(transaction, waits ? LOCK : LOCK_FREE, [turnIds]);
    if (locked.length === 0) return [];
    return query(transaction, WAKE, [locked.map(({ id }) => id)]);
  });
}

const FIND = {
  name: 'find-parents-to-wake',
  text: `
WITH parked AS MATERIALIZED (
  SELECT turns.id, turns.root_turn_id FROM turns
  WHERE turns.status = 'queued' AND turns.waits_for_children AND turns.id > $1
  ORDER BY turns.id LIMIT $2
)
SELECT parked.id, NOT ${hasOpenChild('parked')} AS done, ${hasUntoldAction('parked')} AS untold
FROM parked ORDER BY parked.id`,
  row: z.object({ id: z.string(), done: z.boolean(), untold: z.boolean() }),
};

/**
 * For the reconciler: looks at up to `limit` parked turns after the id `after`. Returns those that nothing holds any
 * more, those with an action below them of which they have no event, and where to continue; null at the end.
 */
export async function findParentsToWake(
  sql: Sql,
  after: string,
  limit: number,
): Promise<{ turnIds: string[]; untold: string[]; last: string | null }> {
  const rows = await query(sql, FIND, [after, limit]);
  const turnIds = rows.flatMap(({ id, done }) => (done ? [id] : []));
  const untold = rows.flatMap((row) => (row.untold ? [row.id] : []));
  return { turnIds, untold, last: rows.length < limit ? null : (rows.at(-1)?.id ?? null) };
}

const PARENTS = {
  name: 'read-parents',
  text: `SELECT DISTINCT parent_turn_id AS id FROM turns WHERE id = ANY ($1) AND parent_turn_id IS NOT NULL`,
  row: z.object({ id: z.string() }),
};

/** The parents of those of these turns that are child turns. */
export async function readParents(sql: Sql, turnIds: readonly string[]): Promise<string[]> {
  return (await query(sql, PARENTS, [turnIds])).map(({ id }) => id);
}

import { z } from 'zod';
import { inTransaction, query, type Sql } from '../database/sql.ts';

/*
 * A parked turn that is locked here stays parked until this transaction ends; a turn that is not parked yet looks for
 * itself once it is. So whichever comes later, the action or the park, sees the other.
 */
const LOCK = {
  name: 'lock-ancestors-to-tell',
  text: `
SELECT turns.id FROM turns
WHERE turns.id IN (SELECT unnest(near.ancestors || near.id) FROM turns AS near WHERE near.id = ANY ($1))
  AND turns.status = 'queued' AND turns.waits_for_children
ORDER BY turns.id FOR NO KEY UPDATE`,
  row: z.object({ id: z.string() }),
};

/** A boolean SQL expression: an event of `parent` says that `child` requires the action that it does now. */
const isTold = `EXISTS (
  SELECT 1 FROM events WHERE events.turn_id = parent.id AND events.type = 'tool.child_requires_action'
    AND events.payload ->> 'child_turn_id' = child.id
    AND (events.payload ->> 'child_sequence_number')::int = child.event_count)`;

/** For a FROM clause with `parent`, a row of `turns`: the turns below it, on every level, that require an action. */
const WAITING_BELOW = `JOIN turns AS child
    ON child.root_turn_id = coalesce(parent.root_turn_id, parent.id) AND parent.id = ANY (child.ancestors)
   AND child.status = 'requires_action' AND NOT ${isTold}`;

/** A boolean SQL expression: a turn below `parent` requires an action of which it has no event. */
export const hasUntoldAction = (parent: string): string => `EXISTS (
  SELECT 1 FROM (SELECT ${parent}.*) AS parent ${WAITING_BELOW})`;

/* The numbers of events are given out under the lock of the turn, like those of a lease. */
const TELL = {
  name: 'tell-ancestors-of-actions',
  text: `
WITH due AS MATERIALIZED (
  SELECT parent.id AS turn_id, parent.tenant_id, parent.event_count, branch.parent_tool_call_id AS call_id,
    child.id AS child_id, child.session_id AS child_session_id, child.event_count AS child_number,
    row_number() OVER (PARTITION BY parent.id ORDER BY child.id) AS place
  FROM turns AS parent ${WAITING_BELOW}
  JOIN turns AS branch ON branch.parent_turn_id = parent.id AND branch.id = ANY (child.ancestors || child.id)
  WHERE parent.id = ANY ($1)
), told AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT due.turn_id, due.event_count + due.place, turnpike_new_id('evt'), due.tenant_id, 'tool.child_requires_action',
    jsonb_build_object('tool_call_id', due.call_id, 'child_turn_id', due.child_id,
                       'child_session_id', due.child_session_id, 'child_sequence_number', due.child_number)
  FROM due
)
UPDATE turns SET event_count = turns.event_count + counted.events
FROM (SELECT due.turn_id, count(*)::int AS events FROM due GROUP BY due.turn_id) AS counted
WHERE turns.id = counted.turn_id
RETURNING turns.id AS "turnId", turns.session_id AS "sessionId", turns.event_count AS "eventCount"`,
  row: z.object({ turnId: z.string(), sessionId: z.string(), eventCount: z.int() }),
};
export type ToldAncestor = z.infer<typeof TELL.row>;

/**
 * Adds an event to every parked turn among these turns and those above them, for each turn below it that requires an
 * action of which it has no event yet. Returns those that got one.
 */
export function tellAncestors(sql: Sql, turnIds: readonly string[]): Promise<ToldAncestor[]> {
  return inTransaction(sql, async (transaction) => {
    const locked = await query(transaction, LOCK, [turnIds]);
    if (locked.length === 0) return [];
    return query(transaction, TELL, [locked.map(({ id }) => id)]);
  });
}

import { ID_PREFIXES, UNKNOWN_OUTCOME } from '@turnpike/contract';
import { z } from 'zod';
import { closingTurn } from './close-turn.ts';
import { query, type Sql } from '../database/sql.ts';

const NOT_APPROVED = 'Nobody approved this call in time, so it was denied. Nothing was done.';
const NO_ANSWER = 'Nobody answered the question of this call in time. What the call had done before stands.';
const NO_OUTPUT = 'No output of this call was given in time.';

const waitedSchema = z.object({ turnId: z.string(), tenantId: z.string(), sessionId: z.string() });
export type WaitedTurn = z.infer<typeof waitedSchema>;

/*
 * Invariant: no session waits for ever for an action. A call that got no response in time gets a result here
 * that promises the least, and the turn is queued again.
 */
const EXPIRE_ACTIONS = {
  name: 'expire-actions',
  text: `
WITH expired AS (
  SELECT id, event_count FROM turns WHERE status = 'requires_action' AND action_expires_at <= now()
  ORDER BY action_expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
), denied AS (
  UPDATE tool_calls
  SET status = CASE awaiting WHEN 'outcome' THEN 'unknown' ELSE 'completed' END, awaiting = NULL, is_error = true,
      output = jsonb_build_array(jsonb_build_object('type', 'text', 'text', CASE awaiting
        WHEN 'approval' THEN '${NOT_APPROVED}' WHEN 'output' THEN '${NO_OUTPUT}' WHEN 'answer' THEN '${NO_ANSWER}'
        ELSE '${UNKNOWN_OUTCOME}' END)),
      completed_at = now()
  FROM expired WHERE tool_calls.turn_id = expired.id AND tool_calls.awaiting IS NOT NULL
), queued AS (
  UPDATE turns SET status = 'queued', action_expires_at = NULL, ready_at = now(), available_at = NULL,
    event_count = turns.event_count + 1
  FROM expired WHERE turns.id = expired.id
  RETURNING turns.id, turns.tenant_id, turns.session_id
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT queued.id, expired.event_count + 1, turnpike_new_id('${ID_PREFIXES.event}'), queued.tenant_id, 'turn.queued',
         '{"reason": "action_expired"}'
  FROM queued JOIN expired USING (id)
)
SELECT id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId" FROM queued`,
  row: waitedSchema,
};

/** Denies the actions of up to `limit` turns whose time to respond has passed, and queues the turns again. */
export function expireActions(sql: Sql, limit: number): Promise<WaitedTurn[]> {
  return query(sql, EXPIRE_ACTIONS, [limit]);
}

/*
 * A turn that a worker holds is ended by that worker; a turn that no worker holds is ended here. A pass skips
 * turns and sessions that are locked.
 *
 * The sort makes sure that all rows are locked before the first turn is ended: a lock skips a row that its
 * own statement has changed, so the second of two turns of a session would be missed.
 */
const EXPIRE_DEADLINES = {
  name: 'expire-deadlines',
  text: `
WITH locked AS MATERIALIZED (
  SELECT turns.id, turns.tenant_id, turns.session_id
  FROM turns JOIN sessions ON sessions.id = turns.session_id
  WHERE turns.status IN ('queued', 'requires_action') AND turns.deadline_at <= now()
  ORDER BY turns.deadline_at LIMIT $1
  FOR UPDATE OF turns SKIP LOCKED FOR NO KEY UPDATE OF sessions SKIP LOCKED
), late AS MATERIALIZED (
  SELECT id, tenant_id, session_id, 'incomplete' AS status FROM locked ORDER BY session_id, id
)
SELECT id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId",
  ${closingTurn({ when: 'true', stopReason: "'deadline'" })}
FROM late`,
  row: waitedSchema,
};

/** Ends up to `limit` turns whose deadline passed while no worker held them. */
export function expireDeadlines(sql: Sql, limit: number): Promise<WaitedTurn[]> {
  return query(sql, EXPIRE_DEADLINES, [limit]);
}

import { newId, turnStatusSchema, type RequestedChild, type StartedChild } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';
import { json, query, transaction, type Sql } from '../database/sql.ts';
import { needsOf } from '../workers/capability.ts';

/** The lease under which child turns are started, with what must be locked before its turn. */
export interface ParentLease {
  turnId: string;
  sessionId: string;
  epoch: number;
  /** The lease's span, as W3C trace context writes it; null where nothing is traced. */
  traceparent: string | null;
}

/** `lost`: the lease does not hold. `cancelling`: the parent was asked to cancel. In both cases nothing was started. */
export type StartOutcome =
  | { of: 'lost' }
  | { of: 'cancelling' }
  | {
      of: 'started';
      children: StartedChild[];
      /** The number of the parent's newest event. */
      eventCount: number;
    };

/**
 * One after another for a tree of turns, and for the sessions of a tenant that has a limit of its own, so that the
 * limits are exact.
 */
const LOCK_COUNTS = {
  name: 'lock-counts-of-children',
  text: `
SELECT CASE WHEN tenants.limits ? 'max_sessions' THEN turnpike_count_sessions(tenants.id, 0) END AS sessions,
  pg_advisory_xact_lock(hashtextextended('turnpike.children ' || coalesce(turns.root_turn_id, turns.id), 0))::text AS tree
FROM turns JOIN tenants ON tenants.id = turns.tenant_id WHERE turns.id = $1`,
  row: z.object({}),
};

/* Their session refers to it. A session is locked before its turns (decision 8). */
const LOCK_SESSION = {
  name: 'share-session-of-parent',
  text: `SELECT id FROM sessions WHERE id = $1 FOR KEY SHARE`,
  row: z.object({}),
};

const LOCK_PARENT = {
  name: 'lock-parent-turn',
  text: `
SELECT status, event_count AS "eventCount" FROM turns
WHERE id = $1 AND epoch = $2 AND status IN ('in_progress', 'cancelling') AND leased_until > clock_timestamp()
FOR NO KEY UPDATE`,
  row: z.object({ status: turnStatusSchema, eventCount: z.int() }),
};

/*
 * Invariants:
 * - A call has one child turn at most, however often it is started: one that has one gets it again, and
 *   `turns_of_tool_call` refuses a second.
 * - Child turns are started only under the parent's lease, and not once it was asked to cancel: its row is locked, so
 *   that whoever ends or cancels it afterwards finds them.
 * - The turns below one that a client submitted never exceed the tenant's limit: the tree was locked before.
 *
 * The parent and the tree were locked by earlier statements, so this one sees all that was committed before.
 */
const START = {
  name: 'start-child-turns',
  text: `
WITH parent AS MATERIALIZED (
  SELECT turns.*, sessions.metadata AS session_metadata, sessions.user_id,
    coalesce(turns.root_turn_id, turns.id) AS root,
    coalesce((tenants.limits ->> 'max_child_depth')::int, $3) AS most_deep,
    coalesce((tenants.limits ->> 'max_child_turns')::int, $4) AS most_turns,
    (tenants.limits ->> 'max_sessions')::int AS most_sessions
  FROM turns JOIN sessions ON sessions.id = turns.session_id JOIN tenants ON tenants.id = turns.tenant_id
  WHERE turns.id = $1 AND turns.epoch = $5 AND turns.status = 'in_progress' AND turns.leased_until > clock_timestamp()
), given AS MATERIALIZED (
  SELECT given.* FROM ROWS FROM (
    jsonb_to_recordset($2::jsonb) AS (call_id text, agent_id text, input jsonb, turn_id text, session_id text,
                                      message_id text, queued_id text, told_id text)
  ) WITH ORDINALITY AS given(call_id, agent_id, input, turn_id, session_id, message_id, queued_id, told_id, place)
), known AS MATERIALIZED (
  SELECT given.call_id, turns.id FROM given JOIN turns ON turns.parent_tool_call_id = given.call_id
), possible AS MATERIALIZED (
  SELECT given.*, agents.version, row_number() OVER (ORDER BY given.place) AS number
  FROM parent CROSS JOIN given JOIN agents ON agents.id = given.agent_id
  WHERE agents.tenant_id = parent.tenant_id AND agents.deleted_at IS NULL
    AND given.call_id NOT IN (SELECT known.call_id FROM known)
    AND cardinality(parent.ancestors) < parent.most_deep
), counted AS MATERIALIZED (
  SELECT (SELECT count(*) FROM turns WHERE turns.root_turn_id = parent.root) AS turns,
    CASE WHEN parent.most_sessions IS NOT NULL THEN (
      SELECT count(*) FROM (
        SELECT 1 FROM sessions WHERE sessions.tenant_id = parent.tenant_id LIMIT parent.most_sessions
      ) AS stored) END AS sessions
  FROM parent
), chosen AS MATERIALIZED (
  SELECT possible.* FROM possible, parent, counted
  WHERE counted.turns + possible.number <= parent.most_turns
    AND (counted.sessions IS NULL OR counted.sessions + possible.number <= parent.most_sessions)
), session AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, user_id, last_sequence, open_turns, parent_session_id)
  SELECT chosen.session_id, parent.tenant_id, chosen.agent_id, parent.session_metadata, parent.user_id, 1, 1, parent.session_id
  FROM chosen, parent
), turn AS (
  INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, pool, code_tools, metadata, message_count, event_count,
                     ready_at, priority, deadline_at, traceparent, parent_turn_id, parent_tool_call_id, root_turn_id, ancestors)
  SELECT chosen.turn_id, parent.tenant_id, chosen.session_id, 1, chosen.agent_id, chosen.version, needs.pool, needs.code_tools,
         parent.metadata, 1, 1,
         now(), parent.priority, parent.deadline_at, $6, parent.id, chosen.call_id, parent.root, parent.ancestors || parent.id
  FROM parent CROSS JOIN chosen ${needsOf('chosen.agent_id', 'chosen.version')}
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
  SELECT chosen.turn_id, 0, chosen.message_id, parent.tenant_id, chosen.session_id, 1, 'user', chosen.input
  FROM chosen, parent
), queued AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT chosen.turn_id, 1, chosen.queued_id, parent.tenant_id, 'turn.queued', '{}' FROM chosen, parent
), called AS (
  UPDATE tool_calls SET child_turn_id = chosen.turn_id
  FROM chosen WHERE tool_calls.turn_id = $1 AND tool_calls.id = chosen.call_id
), told AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT parent.id, parent.event_count + row_number() OVER (ORDER BY chosen.place), chosen.told_id, parent.tenant_id,
         'tool.child_started',
         jsonb_build_object('tool_call_id', chosen.call_id, 'child_turn_id', chosen.turn_id, 'child_session_id', chosen.session_id)
  FROM chosen, parent
), counting AS (
  UPDATE turns SET event_count = turns.event_count + (SELECT count(*)::int FROM chosen)
  FROM parent WHERE turns.id = parent.id
)
SELECT given.call_id AS "toolCallId", coalesce(known.id, chosen.turn_id) AS "childTurnId",
  (SELECT count(*)::int FROM chosen) AS started,
  CASE WHEN known.id IS NOT NULL OR chosen.turn_id IS NOT NULL THEN NULL
       WHEN cardinality(parent.ancestors) >= parent.most_deep THEN 'max_child_depth'
       WHEN possible.call_id IS NULL THEN 'agent_deleted'
       WHEN counted.turns + possible.number > parent.most_turns THEN 'max_child_turns'
       ELSE 'max_sessions' END AS reason,
  parent.most_deep AS "mostDeep", parent.most_turns AS "mostTurns", coalesce(parent.most_sessions, 0) AS "mostSessions"
FROM parent CROSS JOIN counted CROSS JOIN given
LEFT JOIN known USING (call_id) LEFT JOIN possible USING (call_id) LEFT JOIN chosen USING (call_id)
ORDER BY given.place`,
  row: z.object({
    toolCallId: z.string(),
    childTurnId: z.string().nullable(),
    started: z.int(),
    reason: z.enum(['agent_deleted', 'max_child_depth', 'max_child_turns', 'max_sessions']).nullable(),
    mostDeep: z.int(),
    mostTurns: z.int(),
    mostSessions: z.int(),
  }),
};

/**
 * Starts the child turns of these calls, each in a session of its own, with the newest version of its agent, and the
 * parent's metadata, priority and deadline. A call that has a child turn keeps it. `defaults` are the limits of a
 * tenant without its own.
 */
export function startChildren(
  pool: pg.Pool,
  lease: ParentLease,
  requested: readonly RequestedChild[],
  defaults: { max_child_depth: number; max_child_turns: number },
): Promise<StartOutcome> {
  return transaction(pool, (sql) => startUnderLocks(sql, lease, requested, defaults));
}

async function startUnderLocks(
  sql: Sql,
  { turnId, sessionId, epoch, traceparent }: ParentLease,
  requested: readonly RequestedChild[],
  defaults: { max_child_depth: number; max_child_turns: number },
): Promise<StartOutcome> {
  const given = requested.map(({ toolCallId, agentId, input }) => ({
    call_id: toolCallId,
    agent_id: agentId,
    input,
    turn_id: newId('turn'),
    session_id: newId('session'),
    message_id: newId('message'),
    queued_id: newId('event'),
    told_id: newId('event'),
  }));
  const { max_child_depth: depth, max_child_turns: turns } = defaults;
  // In one round trip. Each statement begins after the one before it has acquired its locks.
  const [, , [parent], rows] = await Promise.all([
    query(sql, LOCK_COUNTS, [turnId]),
    query(sql, LOCK_SESSION, [sessionId]),
    query(sql, LOCK_PARENT, [turnId, epoch]),
    query(sql, START, [turnId, json(given), depth, turns, epoch, traceparent]),
  ]);
  if (parent === undefined) return { of: 'lost' };
  if (parent.status === 'cancelling') return { of: 'cancelling' };
  const [first] = rows;
  if (first === undefined) return { of: 'lost' };
  return { of: 'started', children: rows.map(startedOf), eventCount: parent.eventCount + first.started };
}

function startedOf(row: z.infer<typeof START.row>): StartedChild {
  const { toolCallId, childTurnId, reason } = row;
  if (childTurnId !== null) return { toolCallId, childTurnId, refusal: null };
  if (reason === null || reason === 'agent_deleted') {
    return { toolCallId, childTurnId, refusal: { reason: 'agent_deleted' } };
  }
  const limits = {
    max_child_depth: row.mostDeep,
    max_child_turns: row.mostTurns,
    max_sessions: row.mostSessions,
  };
  return { toolCallId, childTurnId, refusal: { reason, limit: limits[reason] } };
}

import type { ContentBlock, Metadata, Turn } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from './sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from './stored-turn.ts';

export interface NewTurn {
  id: string;
  tenantId: string;
  sessionId: string;
  messageId: string;
  eventId: string;
  /** Null for a turn that goes on with another. */
  input: ContentBlock[] | null;
  metadata: Metadata;
  /** From this moment on; left out: at once. */
  runAt?: string | null;
  /** Counted from when it may run. */
  deadlineMs: number;
  priority?: number;
  /** What its tenant may have waiting, where that is to be counted; left out where there is room for certain. */
  mostWaiting?: number | null;
  budgetMicros?: number | null;
  /** The turn that it goes on with. */
  resumes?: string | null;
  /** The span of the request that brought it, as W3C trace context writes it. */
  traceparent?: string | null;
}

/** What was counted before anything was added; null where it was not. */
export interface Counted {
  waiting: number | null;
  sessions: number | null;
}

export interface AcceptedTurn {
  turn: Turn;
  /** True when nothing of the session stands before it and its time has come: it may be dispatched. */
  isHead: boolean;
  counted: Counted;
}

/** Nothing was stored: `full` says of what the tenant has too much; null where the reason is another. */
export interface RefusedTurn {
  turn: null;
  full: 'turns' | 'sessions' | null;
  counted: Counted;
}

const room = { waiting: z.int().nullable(), sessions: z.int().nullable() };

const acceptedSchema = storedTurnSchema
  .extend({ ...room, accepted: z.literal(true), isHead: z.boolean() })
  .transform(({ accepted: _accepted, isHead, waiting, sessions, ...row }): AcceptedTurn => ({
    turn: asTurn(row),
    isHead,
    counted: { waiting, sessions },
  }));

const refusedSchema = z
  .object({ ...room, accepted: z.literal(false), full: z.enum(['turns', 'sessions']).nullable() })
  .transform(({ full, waiting, sessions }): RefusedTurn => ({
    turn: null,
    full,
    counted: { waiting, sessions },
  }));

const answerSchema = z.discriminatedUnion('accepted', [acceptedSchema, refusedSchema]);

/*
 * Both heads begin with one row `room`: (waiting, sessions, full), what was counted under a lock, where the
 * caps are not null; the functions, with their invariant, are in the migration that made them. And both
 * give at most one row `session`: (id, tenant_id, agent_id, agent_version, sequence, open_turns).
 */

const TAKE_NEXT_SEQUENCE = `
WITH room AS MATERIALIZED (
  SELECT waiting, NULL::int AS sessions, CASE WHEN waiting >= $11::int THEN 'turns' END AS full
  FROM (SELECT CASE WHEN $11::int IS NOT NULL THEN turnpike_count_waiting($2, $11) END AS waiting) AS counted
), session AS (
  UPDATE sessions
  SET last_sequence = sessions.last_sequence + 1, open_turns = sessions.open_turns + 1
  FROM agents, room
  WHERE sessions.id = $3 AND sessions.tenant_id = $2 AND (sessions.open_turns = 0 OR NOT $15)
    AND agents.id = sessions.agent_id AND agents.deleted_at IS NULL AND room.full IS NULL
  RETURNING sessions.id, sessions.tenant_id, sessions.agent_id, agents.version AS agent_version,
    sessions.last_sequence AS sequence, sessions.open_turns
)`;

const MAKE_SESSION = `
WITH room AS MATERIALIZED (
  SELECT waiting, sessions,
    CASE WHEN waiting >= $11::int THEN 'turns' WHEN sessions >= $17::int THEN 'sessions' END AS full
  FROM (
    SELECT waiting, CASE WHEN $17::int IS NOT NULL THEN turnpike_count_sessions($2, $17) END AS sessions
    FROM (SELECT CASE WHEN $11::int IS NOT NULL THEN turnpike_count_waiting($2, $11) END AS waiting) AS first
  ) AS counted
), session AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, budget_micros, last_sequence, open_turns)
  SELECT $3, $2, agents.id, $16::jsonb, $18, 1, 1
  FROM agents, room
  WHERE agents.id = $15 AND agents.tenant_id = $2 AND agents.deleted_at IS NULL AND room.full IS NULL
  RETURNING id, tenant_id, agent_id,
    (SELECT agents.version FROM agents WHERE agents.id = $15) AS agent_version,
    last_sequence AS sequence, open_turns
)`;

/*
 * Invariant: sequence numbers of a session have no gap and no double, and a turn is marked
 * ready exactly when no open turn stands before it. Both hold because the session's row is
 * locked from its update to the commit, and `open_turns` is read from the locked row, not
 * from the statement's snapshot.
 */
const INSERT_TURN = `,
turn AS (
  INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, metadata,
                     message_count, event_count, ready_at, deadline_at, run_at, available_at, priority,
                     budget_micros, resumes, traceparent)
  SELECT $1, session.tenant_id, session.id, session.sequence, session.agent_id, session.agent_version,
         $7::jsonb, ($6::jsonb IS NOT NULL)::int, 1, CASE WHEN session.open_turns = 1 THEN now() END,
         greatest(now(), $9::timestamptz) + $8::double precision * interval '1 millisecond',
         $9::timestamptz, CASE WHEN $9::timestamptz > now() THEN $9::timestamptz END, $10, $12, $13, $14
  FROM session
  RETURNING *
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
  SELECT turn.id, 0, $4, turn.tenant_id, turn.session_id, turn.sequence, 'user', $6::jsonb FROM turn
  WHERE $6::jsonb IS NOT NULL
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT turn.id, 1, $5, turn.tenant_id, 'turn.queued', '{}' FROM turn
)
SELECT ${TURN_COLUMNS}, turns.id IS NOT NULL AS accepted, room.waiting, room.sessions, room.full,
  turns.ready_at IS NOT NULL AND turns.available_at IS NULL AS "isHead"
FROM room LEFT JOIN turn AS turns ON true`;

const ACCEPT = { name: 'accept-turn', text: TAKE_NEXT_SEQUENCE + INSERT_TURN, row: answerSchema };
const START = { name: 'start-session-turn', text: MAKE_SESSION + INSERT_TURN, row: answerSchema };

/**
 * Stores a turn of a session that is there. Refused without `full` where the session or its agent is not
 * there any more, or where it must be idle and is not.
 */
export async function insertTurn(
  sql: Sql,
  turn: NewTurn & { onlyIfIdle: boolean },
): Promise<AcceptedTurn | RefusedTurn> {
  const [answer] = await query(sql, ACCEPT, [...valuesOf(turn), turn.onlyIfIdle]);
  return answer ?? NOTHING;
}

/**
 * Stores a turn together with a new session for it. Refused without `full` where the agent is not there
 * any more. `mostSessions` as `mostWaiting`.
 */
export async function insertTurnWithSession(
  sql: Sql,
  turn: NewTurn & {
    agentId: string;
    sessionMetadata: Metadata;
    sessionBudgetMicros?: number | null;
    mostSessions?: number | null;
  },
): Promise<AcceptedTurn | RefusedTurn> {
  const { agentId, sessionMetadata, mostSessions = null, sessionBudgetMicros = null } = turn;
  const values = [...valuesOf(turn), agentId, json(sessionMetadata), mostSessions, sessionBudgetMicros];
  const [answer] = await query(sql, START, values);
  return answer ?? NOTHING;
}

const NOTHING: RefusedTurn = { turn: null, full: null, counted: { waiting: null, sessions: null } };

function valuesOf(turn: NewTurn): unknown[] {
  return [
    turn.id,
    turn.tenantId,
    turn.sessionId,
    turn.messageId,
    turn.eventId,
    turn.input === null ? null : json(turn.input),
    json(turn.metadata),
    turn.deadlineMs,
    turn.runAt ?? null,
    turn.priority ?? 0,
    turn.mostWaiting ?? null,
    turn.budgetMicros ?? null,
    turn.resumes ?? null,
    turn.traceparent ?? null,
  ];
}

const LOCK = {
  name: 'lock-waiting',
  text: `SELECT turnpike_count_waiting($1, 0) AS waiting`,
  row: z.object({ waiting: z.int() }),
};

/** For who locks turns or sessions before a turn is inserted with `mostWaiting`: to be called before those. */
export async function lockWaiting(sql: Sql, tenantId: string): Promise<void> {
  await query(sql, LOCK, [tenantId]);
}

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
  input: ContentBlock[];
  metadata: Metadata;
  deadlineMs: number;
}

export interface AcceptedTurn {
  turn: Turn;
  /** True when nothing of the session stands before it: it may be dispatched. */
  isHead: boolean;
}

const acceptedSchema = storedTurnSchema
  .extend({ isHead: z.boolean() })
  .transform(({ isHead, ...row }): AcceptedTurn => ({ turn: asTurn(row), isHead }));

// Both heads give one row `session`: (id, tenant_id, agent_id, agent_version, sequence, open_turns).

const TAKE_NEXT_SEQUENCE = `
WITH session AS (
  UPDATE sessions
  SET last_sequence = sessions.last_sequence + 1, open_turns = sessions.open_turns + 1
  FROM agents
  WHERE sessions.id = $3 AND sessions.tenant_id = $2 AND (sessions.open_turns = 0 OR NOT $9)
    AND agents.id = sessions.agent_id AND agents.deleted_at IS NULL
  RETURNING sessions.id, sessions.tenant_id, sessions.agent_id, agents.version AS agent_version,
    sessions.last_sequence AS sequence, sessions.open_turns
)`;

const MAKE_SESSION = `
WITH session AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, last_sequence, open_turns)
  SELECT $3, $2, agents.id, $10::jsonb, 1, 1
  FROM agents WHERE agents.id = $9 AND agents.tenant_id = $2 AND agents.deleted_at IS NULL
  RETURNING id, tenant_id, agent_id,
    (SELECT agents.version FROM agents WHERE agents.id = $9) AS agent_version,
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
                     message_count, event_count, ready_at, deadline_at)
  SELECT $1, session.tenant_id, session.id, session.sequence, session.agent_id, session.agent_version,
         $7::jsonb, 1, 1, CASE WHEN session.open_turns = 1 THEN now() END,
         now() + $8::double precision * interval '1 millisecond'
  FROM session
  RETURNING *
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
  SELECT turn.id, 0, $4, turn.tenant_id, turn.session_id, turn.sequence, 'user', $6::jsonb FROM turn
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT turn.id, 1, $5, turn.tenant_id, 'turn.queued', '{}' FROM turn
)
SELECT ${TURN_COLUMNS}, turns.ready_at IS NOT NULL AS "isHead" FROM turn AS turns`;

const ACCEPT = { name: 'accept-turn', text: TAKE_NEXT_SEQUENCE + INSERT_TURN, row: acceptedSchema };
const START = { name: 'start-session-turn', text: MAKE_SESSION + INSERT_TURN, row: acceptedSchema };

/**
 * Stores a turn of a session that is there. Null where the session or its agent is not there any
 * more, or where it must be idle and is not.
 */
export async function insertTurn(
  sql: Sql,
  turn: NewTurn & { onlyIfIdle: boolean },
): Promise<AcceptedTurn | null> {
  const [accepted] = await query(sql, ACCEPT, [...valuesOf(turn), turn.onlyIfIdle]);
  return accepted ?? null;
}

/** Stores a turn together with a new session for it. Null where the agent is not there any more. */
export async function insertTurnWithSession(
  sql: Sql,
  turn: NewTurn & { agentId: string; sessionMetadata: Metadata },
): Promise<AcceptedTurn | null> {
  const [accepted] = await query(sql, START, [...valuesOf(turn), turn.agentId, json(turn.sessionMetadata)]);
  return accepted ?? null;
}

function valuesOf(turn: NewTurn): unknown[] {
  return [
    turn.id,
    turn.tenantId,
    turn.sessionId,
    turn.messageId,
    turn.eventId,
    json(turn.input),
    json(turn.metadata),
    turn.deadlineMs,
  ];
}

import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES } from '../turns/open-statuses.ts';
import { storedTurnSchema } from '../turns/stored-turn.ts';

/** Where a copy of a session's beginning ends. */
export interface ForkPoint {
  sessionId: string;
  /** The sequence number of the last turn that is copied; 0 for none. */
  sequence: number;
  turnId: string | null;
  /** Of that turn, what is copied: messages and steps up to these indexes (-1: none). Null: the whole turn. */
  cut: { messageIndex: number; stepIndex: number } | null;
}

const TURN = {
  name: 'read-forked-turn',
  text: `
SELECT id, session_id AS "sessionId", sequence, status, step_count AS "stepCount", agent_version AS "agentVersion",
  overrides, metadata, budget_micros::double precision AS "budgetMicros", (
  SELECT previous.id FROM turns AS previous
  WHERE previous.session_id = turns.session_id AND previous.sequence = turns.sequence - 1) AS "previousId"
FROM turns WHERE tenant_id = $1 AND id = $2`,
  row: z.object({
    ...storedTurnSchema.pick({
      id: true,
      sessionId: true,
      sequence: true,
      status: true,
      stepCount: true,
      agentVersion: true,
      overrides: true,
      metadata: true,
      budgetMicros: true,
    }).shape,
    /** The turn before it in its session; null where that was deleted, or there is none. */
    previousId: z.string().nullable(),
  }),
};
/** A turn, as far as it decides where a fork may end, and what a rerun of it has. */
export type ForkedTurn = z.infer<typeof TURN.row>;

/** Null if the tenant has no such turn. */
export async function readForkedTurn(sql: Sql, tenantId: string, turnId: string): Promise<ForkedTurn | null> {
  const [turn] = await query(sql, TURN, [tenantId, turnId]);
  return turn ?? null;
}

const MESSAGE = {
  name: 'read-forked-message',
  text: `
SELECT messages.turn_id AS "turnId", messages.index AS "messageIndex", (
  SELECT coalesce(max(earlier.step_index), -1) FROM messages AS earlier
  WHERE earlier.turn_id = messages.turn_id AND earlier.index <= messages.index) AS "stepIndex", (
  SELECT max(later.index) FROM messages AS later WHERE later.turn_id = messages.turn_id) AS "lastIndex"
FROM messages JOIN turns ON turns.id = messages.turn_id
WHERE messages.tenant_id = $1 AND messages.id = $2 AND messages.session_id = $3`,
  row: z.object({
    turnId: z.string(),
    messageIndex: z.int(),
    stepIndex: z.int(),
    lastIndex: z.int(),
  }),
};

/** A message of a session: its place in its turn. Null if there is no such message. */
export async function readForkedMessage(
  sql: Sql,
  tenantId: string,
  message: { id: string; sessionId: string },
): Promise<z.infer<typeof MESSAGE.row> | null> {
  const [found] = await query(sql, MESSAGE, [tenantId, message.id, message.sessionId]);
  return found ?? null;
}

/*
 * What a turn says before a step: also messages that joined it between that step and the one before. A step that
 * said nothing (a compaction) has no message.
 */
const BEFORE_STEP = {
  name: 'read-messages-before-step',
  text: `
SELECT coalesce(min(index) FILTER (WHERE step_index >= $2) - 1, max(index), -1) AS "messageIndex",
  coalesce(max(index), -1) AS "lastIndex"
FROM messages WHERE turn_id = $1`,
  row: z.object({ messageIndex: z.int(), lastIndex: z.int() }),
};

/** The index of a turn's last message before a step; -1 for none. `lastIndex`: that of its last message at all. */
export async function readBeforeStep(
  sql: Sql,
  turnId: string,
  step: number,
): Promise<z.infer<typeof BEFORE_STEP.row>> {
  const [found] = await query(sql, BEFORE_STEP, [turnId, step]);
  if (found === undefined) throw new Error('An aggregate returned no row.');
  return found;
}

const STEP_TYPE = {
  name: 'read-type-of-step',
  text: `SELECT type FROM steps WHERE turn_id = $1 AND index = $2`,
  row: z.object({ type: z.enum(['model_call', 'tool_calls', 'compaction']) }),
};

/** Null if the turn has no such step. */
export async function readStepType(
  sql: Sql,
  turnId: string,
  step: number,
): Promise<z.infer<typeof STEP_TYPE.row>['type'] | null> {
  const [found] = await query(sql, STEP_TYPE, [turnId, step]);
  return found?.type ?? null;
}

const LAST_ENDED = {
  name: 'read-last-ended-turn',
  text: `
SELECT turns.id AS "turnId", last.sequence FROM sessions
CROSS JOIN LATERAL (
  SELECT coalesce(min(open.sequence) - 1, sessions.last_sequence) AS sequence FROM turns AS open
  WHERE open.session_id = sessions.id AND open.status IN ${OPEN_STATUSES}
) AS last LEFT JOIN turns ON turns.session_id = sessions.id AND turns.sequence = last.sequence
WHERE sessions.tenant_id = $1 AND sessions.id = $2`,
  row: z.object({ turnId: z.string().nullable(), sequence: z.int() }),
};

/** The last turn of a session before the first that has not ended. Null if there is no such session. */
export async function readLastEnded(
  sql: Sql,
  tenantId: string,
  sessionId: string,
): Promise<z.infer<typeof LAST_ENDED.row> | null> {
  const [found] = await query(sql, LAST_ENDED, [tenantId, sessionId]);
  return found ?? null;
}

const SIZE = {
  name: 'read-size-of-session',
  text: `
SELECT count(*)::int AS messages, coalesce(sum(pg_column_size(content)), 0)::double precision AS bytes
FROM messages WHERE session_id = $1 AND turn_sequence <= $2`,
  row: z.object({ messages: z.int(), bytes: z.number() }),
};

/** How much a session says up to a turn: `bytes` as they are stored. */
export async function readSizeUpTo(
  sql: Sql,
  sessionId: string,
  sequence: number,
): Promise<z.infer<typeof SIZE.row>> {
  const [size] = await query(sql, SIZE, [sessionId, sequence]);
  return size ?? { messages: 0, bytes: 0 };
}

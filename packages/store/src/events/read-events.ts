import {
  awaitingSchema,
  contentBlockSchema,
  eventTypeSchema,
  isFinal,
  questionSchema,
  toolsChangedSchema,
  turnFactSchema,
  type Turn,
  type TurnFact,
} from '@turnpike/contract';
import { z } from 'zod';
import { jsonObject } from '../database/select-list.ts';
import { query, type Sql } from '../database/sql.ts';
import { asTurn, storedTurnSchema, storedWaitingSchema, TURN_COLUMNS } from '../turns/stored-turn.ts';
import { OPEN_STATUSES } from '../turns/open-statuses.ts';

/** A position in a session's events: the turn's sequence number, and the event's in the turn. */
export interface EventPosition {
  turnSequence: number;
  sequenceNumber: number;
}

export interface PositionedFact {
  fact: TurnFact;
  position: EventPosition;
}

const time = z.string().transform((text) => new Date(text).toISOString());
const callSchema = z.object({
  id: z.string(),
  tool_use_id: z.string(),
  name: z.string(),
  input: z.unknown(),
  input_text: z.string().nullable(),
  output: z.array(contentBlockSchema).nullable(),
});
const stepSchema = z.looseObject({ started_at: time, completed_at: time });

const rowSchema = z.object({
  turnSequence: z.int(),
  sequenceNumber: z.int(),
  id: z.string(),
  turnId: z.string(),
  type: eventTypeSchema,
  createdAt: z.date(),
  payload: z.looseObject({
    attempt: z.int().optional(),
    index: z.int().optional(),
    status: z.string().optional(),
    is_error: z.boolean().optional(),
    timeout_ms: z.number().optional(),
    waiting_for: storedWaitingSchema.optional(),
    name: z.string().optional(),
    effect: z.string().optional(),
    retry_after_ms: z.number().optional(),
    tool_calls: z
      .array(
        z.object({
          id: z.string(),
          awaiting: awaitingSchema,
          question: questionSchema.nullable().default(null),
        }),
      )
      .optional(),
    child_turn_id: z.string().optional(),
    child_session_id: z.string().optional(),
  }),
  step: stepSchema.nullable(),
  calls: z.array(callSchema).nullable(),
});
type Row = z.infer<typeof rowSchema>;

const CALL = jsonObject(callSchema, 'tool_calls');

/** An event with the step and tool calls that it is about. */
const COLUMNS = `
  turns.sequence AS "turnSequence", events.sequence_number AS "sequenceNumber", events.id, events.turn_id AS "turnId",
  events.type, events.created_at AS "createdAt", events.payload,
  CASE WHEN events.type = 'step.completed' THEN (
    SELECT json_build_object('id', steps.id, 'object', 'step', 'turn_id', steps.turn_id, 'index', steps.index,
      'type', steps.type, 'model', steps.model, 'stop_reason', steps.stop_reason, 'content', (
        SELECT coalesce(json_agg(block.value ORDER BY messages.index, block.place), '[]')
        FROM messages, jsonb_array_elements(messages.content) WITH ORDINALITY AS block(value, place)
        WHERE messages.turn_id = steps.turn_id AND messages.step_index = steps.index),
      'usage', json_build_object('input_tokens', steps.input_tokens, 'output_tokens', steps.output_tokens,
        'cache_creation_input_tokens', steps.cache_creation_input_tokens,
        'cache_read_input_tokens', steps.cache_read_input_tokens),
      'cost_micros', steps.cost_micros::double precision, 'attempts', steps.attempts, 'provider_request_id', steps.provider_request_id,
      'started_at', steps.started_at, 'completed_at', steps.completed_at)
    FROM steps WHERE steps.turn_id = events.turn_id AND steps.index = (events.payload ->> 'index')::int) END AS step,
  CASE WHEN events.type LIKE 'tool.%' THEN (
    SELECT json_build_array(${CALL}) FROM tool_calls
    WHERE tool_calls.id = events.payload ->> 'tool_call_id' AND tool_calls.turn_id = events.turn_id)
  WHEN events.type = 'turn.requires_action' THEN (
    SELECT json_agg(${CALL} ORDER BY tool_calls.position) FROM tool_calls
    WHERE tool_calls.turn_id = events.turn_id AND tool_calls.id IN (
      SELECT asked.value ->> 'id' FROM jsonb_array_elements(events.payload -> 'tool_calls') AS asked(value))) END AS calls`;

const OF_TURN = {
  name: 'read-turn-events',
  text: `
SELECT ${COLUMNS} FROM events JOIN turns ON turns.id = events.turn_id
WHERE events.turn_id = $1 AND events.sequence_number > $2
ORDER BY events.sequence_number LIMIT $3`,
  row: rowSchema,
};

/*
 * One turn after another: events of a turn are returned once all turns before it have ended, since a position
 * in the session's events must mean that the client has everything before it.
 */
const OF_SESSION = {
  name: 'read-session-events',
  text: `
SELECT ${COLUMNS} FROM turns JOIN events ON events.turn_id = turns.id
WHERE turns.session_id = $1 AND turns.sequence >= $2
  AND (turns.sequence > $2 OR events.sequence_number > $3)
  AND turns.sequence <= coalesce((
    SELECT min(open.sequence) FROM turns AS open
    WHERE open.session_id = $1 AND open.status IN ${OPEN_STATUSES}), 2147483647)
ORDER BY turns.sequence, events.sequence_number LIMIT $4`,
  row: rowSchema,
};

const ENDED = {
  name: 'read-ended-turns',
  text: `SELECT ${TURN_COLUMNS} FROM turns WHERE id = ANY ($1)`,
  row: storedTurnSchema.transform(asTurn),
};

/** Facts of a turn after the number `after`, in order. The caller has checked the tenant. */
export async function readTurnFacts(
  sql: Sql,
  turnId: string,
  page: { after: number; limit: number },
): Promise<PositionedFact[]> {
  return complete(sql, await query(sql, OF_TURN, [turnId, page.after, page.limit]));
}

/** Facts of a session after the position `after`, turn after turn. The caller has checked the tenant. */
export async function readSessionFacts(
  sql: Sql,
  sessionId: string,
  page: { after: EventPosition; limit: number },
): Promise<PositionedFact[]> {
  const { turnSequence, sequenceNumber } = page.after;
  return complete(sql, await query(sql, OF_SESSION, [sessionId, turnSequence, sequenceNumber, page.limit]));
}

/**
 * Reads the turns of final events too: they do not change any more. If one is missing, the session was erased
 * since the events were read.
 */
async function complete(sql: Sql, rows: readonly Row[]): Promise<PositionedFact[]> {
  const ids = rows.filter((row) => isEnd(row.type)).map((row) => row.turnId);
  const turns = ids.length === 0 ? [] : await query(sql, ENDED, [ids]);
  const byId = new Map(turns.map((turn) => [turn.id, turn]));
  const there = rows.filter((row) => !isEnd(row.type) || byId.has(row.turnId));
  return there.map((row) => ({
    fact: asFact(row, byId.get(row.turnId)),
    position: { turnSequence: row.turnSequence, sequenceNumber: row.sequenceNumber },
  }));
}

/** True for the last event of a turn. */
function isEnd(type: Row['type']): boolean {
  const [noun, status] = type.split('.');
  return noun === 'turn' && isFinal(status as Turn['status']);
}

function asFact(row: Row, turn: Turn | undefined): TurnFact {
  return turnFactSchema.parse({
    id: row.id,
    type: row.type,
    turn_id: row.turnId,
    sequence_number: row.sequenceNumber,
    created_at: row.createdAt.toISOString(),
    ...detailsOf(row, turn),
  });
}

function detailsOf(row: Row, turn: Turn | undefined): object {
  const { type, payload, step, calls } = row;
  const { id, tool_use_id: toolUseId, name, output } = calls?.[0] ?? {};
  switch (type) {
    case 'turn.waiting_for_tool':
      return { waiting_for: payload.waiting_for };
    case 'turn.started':
      return { attempt: payload.attempt };
    case 'step.started':
    case 'step.restarted':
      return { step_index: payload.index };
    case 'step.completed':
      return { step };
    case 'tool.started':
    case 'tool.suspended':
      return { tool_call: { id, tool_use_id: toolUseId, name } };
    case 'tool.deferred':
      return { tool_call: { id, tool_use_id: toolUseId, name }, retry_after_ms: payload.retry_after_ms };
    case 'tool.step_started':
    case 'tool.step_completed': {
      const toolStep = { name: payload.name, effect: payload.effect, status: payload.status };
      return { tool_call: { id, tool_use_id: toolUseId, name }, tool_step: toolStep };
    }
    case 'tool.child_started':
    case 'tool.child_requires_action': {
      const { child_turn_id: childTurnId, child_session_id: childSessionId } = payload;
      return {
        tool_call: { id, tool_use_id: toolUseId, name },
        child_turn_id: childTurnId,
        child_session_id: childSessionId,
      };
    }
    case 'tool.completed': {
      const { status, is_error: isError } = payload;
      // The stored output may be what a client said later.
      const known = status === 'unknown' ? null : output;
      return { tool_call: { id, tool_use_id: toolUseId, name, status, is_error: isError, output: known } };
    }
    case 'mcp.tools_changed':
      return toolsChangedSchema.parse(payload);
    case 'turn.requires_action':
      return { required_action: requiredAction(row) };
    case 'turn.completed':
    case 'turn.failed':
    case 'turn.cancelled':
    case 'turn.incomplete':
      return { turn };
    case 'turn.queued':
    case 'input.added':
    case 'message.delta':
    case 'tool.progress':
      return {};
    default:
      return type satisfies never;
  }
}

function requiredAction({ createdAt, payload, calls }: Row): object {
  const asked = new Map(payload.tool_calls?.map(({ id, ...call }) => [id, call]));
  return {
    type: 'submit_tool_outputs',
    expires_at: new Date(createdAt.getTime() + (payload.timeout_ms ?? 0)).toISOString(),
    tool_calls: (calls ?? []).map(({ output: _output, ...call }) => ({
      ...call,
      ...asked.get(call.id),
    })),
  };
}

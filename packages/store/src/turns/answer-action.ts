import {
  awaitingSchema,
  newId,
  questionSchema,
  type SubmittedOutput,
  type TurnStatus,
} from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

const waitingCallSchema = z.object({
  id: z.string(),
  name: z.string(),
  awaiting: awaitingSchema.nullable(),
  question: questionSchema.nullable(),
});
export type WaitingCall = z.infer<typeof waitingCallSchema>;

const LOCK = {
  name: 'lock-waiting-turn',
  text: `SELECT id FROM turns WHERE id = $1 AND tenant_id = $2 AND status = $3 FOR UPDATE`,
  row: z.object({ id: z.string() }),
};

/**
 * Locks a turn that waits for an action until the transaction ends. False if it does not wait. A statement
 * after this one sees everything that was committed before the lock was acquired.
 */
export async function lockWaitingTurn(
  sql: Sql,
  turn: { tenantId: string; turnId: string },
  status: TurnStatus,
): Promise<boolean> {
  const locked = await query(sql, LOCK, [turn.turnId, turn.tenantId, status]);
  return locked.length > 0;
}

const CALLS = {
  name: 'read-calls-of-round',
  text: `
SELECT tool_calls.id, tool_calls.name, tool_calls.awaiting, tool_calls.question FROM turns
JOIN tool_calls ON tool_calls.turn_id = turns.id AND tool_calls.step_index = turns.step_count - 1
WHERE turns.id = $1 ORDER BY tool_calls.position`,
  row: waitingCallSchema,
};

/** The calls of the open round, and what each waits for. */
export function readWaitingCalls(sql: Sql, turnId: string): Promise<WaitingCall[]> {
  return query(sql, CALLS, [turnId]);
}

const QUESTIONS = {
  name: 'read-questions-of-round',
  text: `
SELECT tool_calls.id, tool_calls.question FROM turns
JOIN tool_calls ON tool_calls.turn_id = turns.id AND tool_calls.step_index = turns.step_count - 1
WHERE turns.id = $1 AND turns.tenant_id = $2 AND tool_calls.question IS NOT NULL`,
  row: waitingCallSchema.pick({ id: true, question: true }),
};

/** The questions that calls of a turn ask now; none where the tenant has no such turn. It locks nothing. */
export function readQuestions(
  sql: Sql,
  tenantId: string,
  turnId: string,
): Promise<Pick<WaitingCall, 'id' | 'question'>[]> {
  return query(sql, QUESTIONS, [turnId, tenantId]);
}

/*
 * Invariant: a waiting turn is queued again when, and only when, none of its calls waits any longer. The
 * turn's row is locked, so two requests that bring the last outputs are applied one after the other.
 *
 * A call that is made again because a person said so may do a step again that was started and has no outcome.
 */
const ANSWER = {
  name: 'answer-action',
  text: `
WITH answer AS (
  SELECT place, value ->> 'toolCallId' AS id, value ->> 'status' AS status, value -> 'content' AS output,
    coalesce((value ->> 'isError')::boolean, false) AS is_error, value -> 'answer' AS answer
  FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS entry(value, place)
), answered AS (
  UPDATE tool_calls
  SET awaiting = NULL, question = NULL, status = answer.status, output = answer.output, is_error = answer.is_error,
      completed_at = CASE WHEN answer.status <> 'pending' THEN now() END
  FROM answer WHERE tool_calls.turn_id = $1 AND tool_calls.id = answer.id AND tool_calls.awaiting IS NOT NULL
  RETURNING tool_calls.id, tool_calls.tenant_id, tool_calls.status, tool_calls.is_error, answer.place, answer.answer
), told AS (
  SELECT id, status, is_error, row_number() OVER (ORDER BY place) AS number FROM answered WHERE status <> 'pending'
), kept AS (
  INSERT INTO tool_steps AS known (tool_call_id, kind, name, tenant_id, turn_id, effect, status, result, epoch, completed_at)
  SELECT answered.id, 'answer', answered.answer ->> 'name', answered.tenant_id, $1, 'once', 'completed',
         answered.answer ->> 'json', turns.epoch, now()
  FROM answered JOIN turns ON turns.id = $1 WHERE answered.answer IS NOT NULL
  ON CONFLICT (tool_call_id, kind, name) DO UPDATE
  SET status = excluded.status, result = excluded.result, completed_at = excluded.completed_at
  WHERE known.status = 'undone'
), redone AS (
  UPDATE tool_steps SET status = 'undone', completed_at = now()
  FROM answered WHERE tool_steps.tool_call_id = answered.id AND tool_steps.status = 'started' AND answered.status = 'pending'
), turn AS (
  UPDATE turns
  SET event_count = event_count + (SELECT count(*)::int FROM told),
      status = CASE WHEN done THEN 'queued' ELSE status END,
      action_expires_at = CASE WHEN done THEN NULL ELSE action_expires_at END,
      ready_at = CASE WHEN done THEN now() ELSE ready_at END,
      available_at = CASE WHEN done THEN NULL ELSE available_at END
  FROM (
    SELECT NOT EXISTS (
      SELECT 1 FROM tool_calls WHERE turn_id = $1 AND awaiting IS NOT NULL AND id NOT IN (SELECT id FROM answer)
    ) AS done
  ) AS round
  WHERE turns.id = $1
  RETURNING turns.*
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT turn.id, turn.event_count - (SELECT count(*) FROM told) + told.number, ($3::text[])[told.number::int],
         turn.tenant_id, 'tool.completed',
         jsonb_build_object('tool_call_id', told.id, 'status', told.status, 'is_error', told.is_error)
  FROM turn, told
)
SELECT id, session_id AS "sessionId", status = 'queued' AS resumes FROM turn`,
  row: z.object({ id: z.string(), sessionId: z.string(), resumes: z.boolean() }),
};

/**
 * Stores outputs for calls that wait, of a turn that `lockWaitingTurn` locked. True if they were the last
 * ones and the turn is queued again.
 */
export async function answerAction(
  sql: Sql,
  turnId: string,
  answers: readonly SubmittedOutput[],
): Promise<boolean> {
  const values = [turnId, json(answers), answers.map(() => newId('event'))];
  const [turn] = await query(sql, ANSWER, values);
  return turn?.resumes ?? false;
}

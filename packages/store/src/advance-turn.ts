import { turnStatusSchema, type Advance, type TurnStatus, newId } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from './sql.ts';

/*
 * Invariant (the fence): nothing is written unless this very lease still holds the turn, by
 * the database's clock. Every other part selects from `held`, so where the fence finds no
 * row, the whole statement changes nothing. All of it is one commit.
 *
 * A write is made once: it names the event count that it builds on, so that a worker which does
 * not know whether its commit arrived can send it again.
 *
 * A turn that was asked to cancel keeps what was done, and ends `cancelled` whatever outcome
 * its worker brings.
 */
const ADVANCE = {
  name: 'advance-turn',
  text: `
WITH held AS (
  UPDATE turns
  SET step_count = step_count + ($4::jsonb IS NOT NULL)::int,
      model_attempts = CASE WHEN $4::jsonb IS NULL THEN model_attempts ELSE 0 END,
      input_tokens = input_tokens + coalesce(($4::jsonb #>> '{usage,input_tokens}')::int, 0),
      output_tokens = output_tokens + coalesce(($4::jsonb #>> '{usage,output_tokens}')::int, 0),
      cache_creation_input_tokens = cache_creation_input_tokens
        + coalesce(($4::jsonb #>> '{usage,cache_creation_input_tokens}')::int, 0),
      cache_read_input_tokens = cache_read_input_tokens
        + coalesce(($4::jsonb #>> '{usage,cache_read_input_tokens}')::int, 0),
      message_count = message_count + jsonb_array_length($5::jsonb),
      event_count = event_count + jsonb_array_length($9::jsonb),
      status = CASE WHEN $10::jsonb IS NULL THEN status WHEN status = 'cancelling' THEN 'cancelled'
                    ELSE $10::jsonb ->> 'status' END,
      stop_reason = CASE WHEN status = 'cancelling' THEN NULL ELSE $10::jsonb ->> 'stopReason' END,
      output = nullif($10::jsonb -> 'output', 'null'),
      error = CASE WHEN status = 'cancelling' THEN NULL ELSE nullif($10::jsonb -> 'error', 'null') END,
      finished_at = CASE WHEN $10::jsonb IS NOT NULL THEN now() END,
      leased_until = CASE WHEN $10::jsonb IS NULL THEN leased_until END,
      dispatched_at = CASE WHEN $10::jsonb IS NULL THEN dispatched_at END
  WHERE id = $1 AND epoch = $2 AND status = ANY ($3) AND leased_until > now() AND event_count = $11
  RETURNING *
), session AS (
  UPDATE sessions SET open_turns = open_turns - 1
  FROM held WHERE sessions.id = held.session_id AND $10::jsonb IS NOT NULL
), step AS (
  INSERT INTO steps (turn_id, index, id, tenant_id, type, model, stop_reason, input_tokens, output_tokens,
                     cache_creation_input_tokens, cache_read_input_tokens, attempts, provider_request_id,
                     epoch, started_at)
  SELECT held.id, held.step_count - 1, step.id, held.tenant_id, step.type, step.model, step."stopReason",
         (step.usage ->> 'input_tokens')::int, (step.usage ->> 'output_tokens')::int,
         (step.usage ->> 'cache_creation_input_tokens')::int, (step.usage ->> 'cache_read_input_tokens')::int,
         step.attempts, step."providerRequestId", held.epoch,
         now() - step."durationMs" * interval '1 millisecond'
  FROM held, jsonb_to_record($4::jsonb) AS step(id text, type text, model text, "stopReason" text, usage jsonb,
                                                attempts int, "providerRequestId" text, "durationMs" double precision)
  WHERE $4::jsonb IS NOT NULL
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, step_index, role, content)
  SELECT held.id, held.message_count - jsonb_array_length($5::jsonb) + entry.place - 1, entry.value ->> 'id',
         held.tenant_id, held.session_id, held.sequence,
         CASE WHEN $4::jsonb IS NOT NULL THEN held.step_count - 1 END,
         entry.value ->> 'role', entry.value -> 'content'
  FROM held, jsonb_array_elements($5::jsonb) WITH ORDINALITY AS entry(value, place)
), asked AS (
  INSERT INTO tool_calls (id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, effect, status,
                          attempts, started_at)
  SELECT entry.value ->> 'id', held.tenant_id, held.id, held.step_count - 1, entry.place - 1,
         entry.value ->> 'toolUseId', entry.value ->> 'name', entry.value -> 'input', entry.value ->> 'effect',
         entry.value ->> 'status', (entry.value ->> 'status' = 'started')::int,
         CASE WHEN entry.value ->> 'status' = 'started' THEN now() END
  FROM held, jsonb_array_elements($6::jsonb) WITH ORDINALITY AS entry(value, place)
), started AS (
  UPDATE tool_calls SET status = 'started', attempts = tool_calls.attempts + 1, started_at = now()
  FROM held WHERE tool_calls.turn_id = held.id AND tool_calls.id = ANY ($7)
), received AS (
  UPDATE tool_calls SET status = entry.value ->> 'status', output = entry.value -> 'output',
         is_error = (entry.value ->> 'isError')::boolean, completed_at = now()
  FROM held, jsonb_array_elements($8::jsonb) AS entry(value)
  WHERE tool_calls.turn_id = held.id AND tool_calls.id = entry.value ->> 'id'
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT held.id, held.event_count - jsonb_array_length($9::jsonb) + entry.place, entry.value ->> 'id',
         held.tenant_id,
         CASE WHEN held.status = 'cancelled' AND entry.value ->> 'type' LIKE 'turn.%' THEN 'turn.cancelled'
              ELSE entry.value ->> 'type' END,
         entry.value -> 'payload'
  FROM held, jsonb_array_elements($9::jsonb) WITH ORDINALITY AS entry(value, place)
)
SELECT held.status FROM held`,
  row: z.object({ status: turnStatusSchema }),
};

/**
 * One fenced write. Returns the status that the turn has now, or null where the lease is lost.
 * `from` are the statuses in which a lease is held, `eventCount` the number of the turn's newest
 * event before this write; every write brings at least one.
 */
export async function advanceTurn(
  sql: Sql,
  lease: { turnId: string; epoch: number; from: readonly TurnStatus[]; eventCount: number },
  advance: Advance,
): Promise<TurnStatus | null> {
  const [held] = await query(sql, ADVANCE, [
    lease.turnId,
    lease.epoch,
    lease.from,
    advance.step === undefined ? null : json(advance.step),
    json((advance.messages ?? []).map((message) => ({ ...message, id: newId('message') }))),
    json(advance.askedCalls ?? []),
    advance.startedCalls ?? [],
    json(advance.receipts ?? []),
    json(advance.events),
    advance.outcome === undefined ? null : json(advance.outcome),
    lease.eventCount,
  ]);
  return held?.status ?? null;
}

const PROGRESS = {
  name: 'read-progress',
  text: `SELECT status, event_count AS "eventCount" FROM turns WHERE id = $1 AND epoch = $2`,
  row: z.object({ status: turnStatusSchema, eventCount: z.int() }),
};

/** How far the turn is under this epoch: what tells a commit that arrived from one that did not. */
export async function readProgress(
  sql: Sql,
  lease: { turnId: string; epoch: number },
): Promise<{ status: TurnStatus; eventCount: number } | null> {
  const [progress] = await query(sql, PROGRESS, [lease.turnId, lease.epoch]);
  return progress ?? null;
}

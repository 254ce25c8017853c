import {
  contentBlockSchema,
  newId,
  turnStatusSchema,
  type Advance,
  type Advanced,
  type TurnStatus,
} from '@turnpike/contract';
import { z } from 'zod';
import { isBudgeted } from './reserve-cost.ts';
import { json, query, type Sql } from './sql.ts';

/*
 * Invariant (the fence): nothing is written unless this very lease still holds the turn, by
 * the database's clock. Every other part selects from `held`, so where the fence finds no
 * row, the whole statement changes nothing. All of it is one commit.
 *
 * A step that is committed shows that it is not the turn which kills its workers.
 *
 * A write is made once: it names the event count that it builds on, so that a worker which does
 * not know whether its commit arrived can send it again.
 *
 * `fenced` decides, on the locked row, what the write comes to:
 * - a turn that was asked to cancel keeps what was done, and ends `cancelled` whatever outcome its
 *   worker brings; it does not go and wait for somebody outside;
 * - a turn that somebody joined is not `completed` yet: its step is kept, its end is not;
 * - what joined it goes into the conversation when the worker takes it, and with any other end.
 */
const ADVANCE = {
  name: 'advance-turn',
  text: `
WITH fenced AS (
  SELECT id, coalesce(outcome.value, 'null') <> 'null' AS ends,
    CASE WHEN status = 'cancelling' THEN '{"status": "cancelled", "stopReason": null, "error": null}'::jsonb
           || jsonb_build_object('output', outcome.value -> 'output')
         ELSE outcome.value END AS outcome,
    $13::double precision IS NOT NULL AND status <> 'cancelling' AS parks,
    CASE WHEN $12::boolean OR outcome.value IS NOT NULL THEN pending_inputs ELSE '[]' END AS taken
  FROM turns CROSS JOIN LATERAL (
    SELECT CASE WHEN $10::jsonb ->> 'status' = 'completed' AND status <> 'cancelling' AND pending_inputs <> '[]'
                THEN NULL ELSE $10::jsonb END AS value
  ) AS outcome
  WHERE id = $1 AND epoch = $2 AND status = ANY ($3) AND leased_until > now() AND event_count = $11
  FOR UPDATE OF turns
), written AS (
  SELECT fenced.*, $5::jsonb || fenced.taken AS messages FROM fenced
), held AS (
  UPDATE turns
  SET step_count = step_count + ($4::jsonb IS NOT NULL)::int,
      model_attempts = CASE WHEN $4::jsonb IS NULL THEN model_attempts ELSE 0 END,
      lost_leases = CASE WHEN $4::jsonb IS NULL THEN lost_leases ELSE 0 END,
      input_tokens = input_tokens + coalesce(($4::jsonb #>> '{usage,input_tokens}')::int, 0),
      output_tokens = output_tokens + coalesce(($4::jsonb #>> '{usage,output_tokens}')::int, 0),
      cache_creation_input_tokens = cache_creation_input_tokens
        + coalesce(($4::jsonb #>> '{usage,cache_creation_input_tokens}')::int, 0),
      cache_read_input_tokens = cache_read_input_tokens
        + coalesce(($4::jsonb #>> '{usage,cache_read_input_tokens}')::int, 0),
      cost_micros = cost_micros + coalesce(($4::jsonb ->> 'costMicros')::bigint, 0),
      reserved_micros = CASE WHEN $4::jsonb IS NOT NULL OR written.ends OR written.parks THEN 0 ELSE reserved_micros END,
      reserved_tokens = CASE WHEN $4::jsonb IS NOT NULL OR written.ends OR written.parks THEN 0 ELSE reserved_tokens END,
      message_count = message_count + jsonb_array_length(written.messages),
      event_count = event_count + jsonb_array_length($9::jsonb),
      pending_inputs = CASE WHEN written.taken = '[]' THEN pending_inputs ELSE '[]' END,
      status = CASE WHEN written.ends THEN written.outcome ->> 'status'
                    WHEN written.parks THEN 'requires_action' ELSE status END,
      stop_reason = written.outcome ->> 'stopReason',
      output = nullif(written.outcome -> 'output', 'null'),
      error = nullif(written.outcome -> 'error', 'null'),
      finished_at = CASE WHEN written.ends THEN now() END,
      leased_until = CASE WHEN written.ends OR written.parks THEN NULL ELSE leased_until END,
      dispatched_at = CASE WHEN written.ends OR written.parks THEN NULL ELSE dispatched_at END,
      action_expires_at = CASE WHEN written.parks AND NOT written.ends
                               THEN now() + $13::double precision * interval '1 millisecond' END
  FROM written WHERE turns.id = written.id
  RETURNING turns.*, written.ends, written.parks, written.messages, written.taken
), session AS (
  UPDATE sessions SET open_turns = open_turns - 1
  FROM held WHERE sessions.id = held.session_id AND held.ends
), step AS (
  INSERT INTO steps (turn_id, index, id, tenant_id, type, model, stop_reason, input_tokens, output_tokens,
                     cache_creation_input_tokens, cache_read_input_tokens, cost_micros, attempts,
                     provider_request_id, epoch, started_at)
  SELECT held.id, held.step_count - 1, step.id, held.tenant_id, step.type, step.model, step."stopReason",
         (step.usage ->> 'input_tokens')::int, (step.usage ->> 'output_tokens')::int,
         (step.usage ->> 'cache_creation_input_tokens')::int, (step.usage ->> 'cache_read_input_tokens')::int,
         step."costMicros", step.attempts, step."providerRequestId", held.epoch,
         now() - step."durationMs" * interval '1 millisecond'
  FROM held, jsonb_to_record($4::jsonb) AS step(id text, type text, model text, "stopReason" text, usage jsonb,
                                                "costMicros" bigint, attempts int, "providerRequestId" text, "durationMs" double precision)
  WHERE $4::jsonb IS NOT NULL
), ledger AS (
  INSERT INTO ledger_entries (step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
                              cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
  SELECT step.id, held.tenant_id, held.session_id, held.id, held.agent_id, step.model,
         (step.usage ->> 'input_tokens')::int, (step.usage ->> 'output_tokens')::int,
         (step.usage ->> 'cache_creation_input_tokens')::int, (step.usage ->> 'cache_read_input_tokens')::int,
         step."costMicros", NOT EXISTS (SELECT 1 FROM budgets WHERE budgets.tenant_id = held.tenant_id)
  FROM held, jsonb_to_record($4::jsonb) AS step(id text, model text, usage jsonb, "costMicros" bigint)
  WHERE step.model IS NOT NULL
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, step_index, role, content)
  SELECT held.id, held.message_count - jsonb_array_length(held.messages) + entry.place - 1, entry.value ->> 'id',
         held.tenant_id, held.session_id, held.sequence,
         CASE WHEN $4::jsonb IS NOT NULL AND entry.place <= jsonb_array_length($5::jsonb) THEN held.step_count - 1 END,
         entry.value ->> 'role', entry.value -> 'content'
  FROM held, jsonb_array_elements(held.messages) WITH ORDINALITY AS entry(value, place)
), asked AS (
  INSERT INTO tool_calls (id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, effect, on_unknown,
                          status, awaiting, attempts, started_at)
  SELECT entry.value ->> 'id', held.tenant_id, held.id, held.step_count - 1, entry.place - 1,
         entry.value ->> 'toolUseId', entry.value ->> 'name', entry.value -> 'input', entry.value ->> 'effect',
         entry.value ->> 'onUnknown', entry.value ->> 'status', entry.value ->> 'awaiting',
         (entry.value ->> 'status' = 'started')::int,
         CASE WHEN entry.value ->> 'status' = 'started' THEN now() END
  FROM held, jsonb_array_elements($6::jsonb) WITH ORDINALITY AS entry(value, place)
), started AS (
  UPDATE tool_calls SET status = 'started', attempts = tool_calls.attempts + 1, started_at = now()
  FROM held WHERE tool_calls.turn_id = held.id AND tool_calls.id = ANY ($7)
), received AS (
  UPDATE tool_calls SET status = entry.value ->> 'status', output = entry.value -> 'output', awaiting = NULL,
         is_error = (entry.value ->> 'isError')::boolean, completed_at = now()
  FROM held, jsonb_array_elements($8::jsonb) AS entry(value)
  WHERE tool_calls.turn_id = held.id AND tool_calls.id = entry.value ->> 'id'
), asked_about AS (
  UPDATE tool_calls SET status = 'unknown', awaiting = 'outcome'
  FROM held WHERE tool_calls.turn_id = held.id AND tool_calls.id = ANY ($14)
), summary AS (
  INSERT INTO summaries (session_id, through_sequence, tenant_id, turn_id, step_index, content)
  SELECT held.session_id, ($15::jsonb ->> 'throughSequence')::int, held.tenant_id, held.id, held.step_count - 1,
         $15::jsonb ->> 'content'
  FROM held WHERE $15::jsonb IS NOT NULL
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT held.id, held.event_count - jsonb_array_length($9::jsonb) + entry.place, entry.value ->> 'id',
         held.tenant_id,
         CASE WHEN entry.value ->> 'type' NOT LIKE 'turn.%' THEN entry.value ->> 'type'
              WHEN held.ends OR held.parks THEN 'turn.' || held.status ELSE 'step.started' END,
         CASE WHEN entry.value ->> 'type' LIKE 'turn.%' AND NOT held.ends AND NOT held.parks
              THEN jsonb_build_object('index', held.step_count) ELSE entry.value -> 'payload' END
  FROM held, jsonb_array_elements($9::jsonb) WITH ORDINALITY AS entry(value, place)
)
SELECT held.status, jsonb_array_length(held.pending_inputs) AS "pendingInputs", held.taken,
  ${isBudgeted('held')} AS "isBudgeted"
FROM held`,
  row: z.object({
    status: turnStatusSchema,
    pendingInputs: z.int(),
    isBudgeted: z.boolean(),
    taken: z.array(z.object({ role: z.literal('user'), content: z.array(contentBlockSchema) })),
  }) satisfies z.ZodType<Advanced>,
};

/**
 * One fenced write. Returns where the turn is now, or null where the lease is lost.
 * `from` are the statuses in which a lease is held, `eventCount` the number of the turn's newest
 * event before this write; every write brings at least one.
 */
export async function advanceTurn(
  sql: Sql,
  lease: { turnId: string; epoch: number; from: readonly TurnStatus[]; eventCount: number },
  advance: Advance,
): Promise<Advanced | null> {
  const [advanced] = await query(sql, ADVANCE, [
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
    advance.takeInputs ?? false,
    advance.action?.timeoutMs ?? null,
    advance.askedAbout ?? [],
    advance.summary === undefined ? null : json(advance.summary),
  ]);
  return advanced ?? null;
}

const PROGRESS = {
  name: 'read-progress',
  text: `
SELECT status, event_count AS "eventCount", jsonb_array_length(pending_inputs) AS "pendingInputs",
  ${isBudgeted('turns')} AS "isBudgeted"
FROM turns WHERE id = $1 AND epoch = $2`,
  row: z.object({
    status: turnStatusSchema,
    eventCount: z.int(),
    pendingInputs: z.int(),
    isBudgeted: z.boolean(),
  }),
};

/** How far the turn is under this epoch: what tells a commit that arrived from one that did not. */
export async function readProgress(
  sql: Sql,
  lease: { turnId: string; epoch: number },
): Promise<z.infer<typeof PROGRESS.row> | null> {
  const [progress] = await query(sql, PROGRESS, [lease.turnId, lease.epoch]);
  return progress ?? null;
}

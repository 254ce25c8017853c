import {
  contentBlockSchema,
  newId,
  turnStatusSchema,
  type Advance,
  type AdvanceResult,
  type TurnStatus,
} from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { GroupCommit, MOST_SHARED_BYTES, perPool } from '../database/group-commit.ts';
import { isBudgeted } from '../budgets/reserve-cost.ts';
import { waitsForDispatch } from './dispatch-turns.ts';
import { json, query, queryInOrder, type Sql, type UnreadRow } from '../database/sql.ts';

/**
 * Locks the sessions that an end, a summary or a mark on an earlier message changes, before their turns
 * (decision 8). A group skips every turn and session that is locked: waiting would hold the rows of its other
 * turns while their leases run out, and two groups could deadlock.
 */
const lockSessions = (of: 'all' | 'free'): string => `, sessions_locked AS MATERIALIZED (
  SELECT sessions.id FROM given JOIN turns ON turns.id = given.turn_id JOIN sessions ON sessions.id = turns.session_id
  WHERE given.needs_session
  FOR NO KEY UPDATE OF sessions${of === 'free' ? ' SKIP LOCKED' : ''}
)`;

/**
 * Most writes bring neither tool calls nor notes. To set up the parts for those takes Postgres about as long as to run
 * the rest, so such writes have a statement without them.
 */
type Parts = 'every' | 'common';

/** What few writes bring: tool calls, notes on the session, and marks on what the model API refused. */
const CALLS_AND_NOTES = `, refused AS (
  UPDATE messages SET refused = messages.refused || entry.blocks
  FROM held CROSS JOIN LATERAL (
    SELECT (refusal.value ->> 'turnSequence')::int AS turn_sequence, (refusal.value ->> 'messageIndex')::int AS index,
           jsonb_agg(refusal.value -> 'block' ORDER BY refusal.place) AS blocks
    FROM jsonb_array_elements(held.refused) WITH ORDINALITY AS refusal(value, place)
    GROUP BY 1, 2
  ) AS entry
  WHERE messages.session_id = held.session_id AND messages.turn_sequence = entry.turn_sequence
    AND messages.index = entry.index
), asked AS (
  INSERT INTO tool_calls (id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, input_text, effect, on_unknown,
                          accepted_by, status, awaiting, attempts, started_at)
  SELECT entry.value ->> 'id', held.tenant_id, held.id, held.step_count - 1, entry.place - 1,
         entry.value ->> 'toolUseId', entry.value ->> 'name', entry.value -> 'input', entry.value ->> 'inputText', entry.value ->> 'effect',
         entry.value ->> 'onUnknown', entry.value ->> 'acceptedBy', entry.value ->> 'status', entry.value ->> 'awaiting',
         (entry.value ->> 'status' = 'started')::int,
         CASE WHEN entry.value ->> 'status' = 'started' THEN now() END
  FROM held, jsonb_array_elements(held.asked) WITH ORDINALITY AS entry(value, place)
), started AS (
  UPDATE tool_calls SET status = 'started', attempts = tool_calls.attempts + 1, started_at = now()
  FROM held WHERE tool_calls.turn_id = held.id AND tool_calls.id = ANY (held.started)
), received AS (
  UPDATE tool_calls SET status = entry.value ->> 'status', output = entry.value -> 'output', awaiting = NULL,
         is_error = (entry.value ->> 'isError')::boolean, completed_at = now()
  FROM held, jsonb_array_elements(held.received) AS entry(value)
  WHERE tool_calls.turn_id = held.id AND tool_calls.id = entry.value ->> 'id'
), asked_about AS (
  UPDATE tool_calls SET status = 'unknown', awaiting = 'outcome'
  FROM held WHERE tool_calls.turn_id = held.id AND tool_calls.id = ANY (held.asked_about)
), returned AS (
  UPDATE tool_calls SET status = 'pending', question = nullif(entry.value -> 'question', 'null'),
         awaiting = CASE WHEN entry.value -> 'question' <> 'null' THEN 'answer' END
  FROM held, jsonb_array_elements(held.returned) AS entry(value)
  WHERE tool_calls.turn_id = held.id AND tool_calls.id = entry.value ->> 'id'
), tool_step AS (
  INSERT INTO tool_steps AS known (tool_call_id, kind, name, tenant_id, turn_id, effect, status, result, epoch, completed_at)
  SELECT entry.value ->> 'toolCallId', entry.value ->> 'kind', entry.value ->> 'name', held.tenant_id, held.id,
         entry.value ->> 'effect', entry.value ->> 'status', entry.value ->> 'result', held.epoch,
         CASE WHEN entry.value ->> 'status' <> 'started' THEN now() END
  FROM held, jsonb_array_elements(held.tool_steps) AS entry(value)
  ON CONFLICT (tool_call_id, kind, name) DO UPDATE
  SET status = excluded.status, result = excluded.result, epoch = excluded.epoch, completed_at = excluded.completed_at
  WHERE known.status IN ('started', 'undone') OR known.kind = 'answer'
), summary AS (
  INSERT INTO summaries (session_id, through_sequence, tenant_id, turn_id, step_index, content)
  SELECT held.session_id, (held.summary ->> 'throughSequence')::int, held.tenant_id, held.id, held.step_count - 1,
         held.summary ->> 'content'
  FROM held WHERE held.summary IS NOT NULL
)`;

/*
 * Invariant (the fence): nothing is written unless this lease still holds the turn, by the database's clock.
 * Every other part selects from `held`, so if the fence finds no row, the statement changes nothing. All of
 * it is one commit.
 *
 * A committed step resets `lost_leases`: this turn does not kill its workers.
 *
 * A write is applied once: it names the event count that it builds on, so a worker that does not know whether
 * its commit arrived can send it again.
 *
 * A tool's step that has an outcome keeps it: only one that is `started` or `undone` is changed. An answer that its
 * tool refused may be given again.
 *
 * `fenced` decides, on the locked row, what the write does:
 * - a turn that was asked to cancel keeps the step and ends as `cancelled`, whatever outcome its worker
 *   brings; it does not go to `requires_action`;
 * - a turn that has pending inputs is not `completed`: its step is kept, its end is not;
 * - pending inputs are added to the conversation when the worker asks for them, and with every other end.
 */
const advanceAs = (of: 'all' | 'free', parts: Parts): string => `
WITH given AS MATERIALIZED (
  SELECT *, outcome IS NOT NULL OR summary IS NOT NULL OR refused <> '[]' AS needs_session
  FROM jsonb_to_recordset($1::jsonb) AS given(turn_id text, epoch int, built_on int, step jsonb, said jsonb,
    asked jsonb, started text[], received jsonb, told jsonb, outcome jsonb, take_inputs boolean,
    action_ms double precision, asked_about text[], returned jsonb, tool_steps jsonb, summary jsonb, refused jsonb)
)${lockSessions(of)}, fenced AS (
  SELECT turns.id, given.step, given.said, given.asked, given.started, given.received,
    given.told, given.action_ms, given.asked_about, given.returned, given.tool_steps, given.summary, given.refused, outcome.value IS NOT NULL AS ends,
    CASE WHEN status = 'cancelling' THEN '{"status": "cancelled", "stopReason": null, "error": null}'::jsonb
           || jsonb_build_object('output', outcome.value -> 'output', 'partial', outcome.value -> 'partial')
         ELSE outcome.value END AS outcome,
    given.action_ms IS NOT NULL AND status <> 'cancelling' AS parks,
    CASE WHEN given.take_inputs OR outcome.value IS NOT NULL THEN pending_inputs ELSE '[]' END AS taken
  FROM given JOIN turns ON turns.id = given.turn_id CROSS JOIN LATERAL (
    SELECT CASE WHEN given.outcome ->> 'status' = 'completed' AND status <> 'cancelling' AND pending_inputs <> '[]'
                THEN NULL ELSE given.outcome END AS value
  ) AS outcome
  WHERE turns.epoch = given.epoch AND status = ANY ($2) AND leased_until > now() AND event_count = given.built_on
    AND (NOT given.needs_session OR turns.session_id IN (SELECT id FROM sessions_locked))
  FOR UPDATE OF turns ${of === 'free' ? 'SKIP LOCKED' : ''}
), written AS (
  SELECT fenced.*, fenced.said || fenced.taken AS messages,
    CASE WHEN fenced.step -> 'isCostRecorded' = 'true' THEN NULL ELSE fenced.step END AS spent
  FROM fenced
), held AS (
  UPDATE turns
  SET step_count = step_count + (written.step IS NOT NULL)::int,
      model_attempts = CASE WHEN written.step IS NULL THEN model_attempts ELSE 0 END,
      lost_leases = CASE WHEN written.step IS NULL THEN lost_leases ELSE 0 END,
      input_tokens = input_tokens + coalesce((written.spent #>> '{usage,input_tokens}')::int, 0),
      output_tokens = output_tokens + coalesce((written.spent #>> '{usage,output_tokens}')::int, 0),
      cache_creation_input_tokens = cache_creation_input_tokens
        + coalesce((written.spent #>> '{usage,cache_creation_input_tokens}')::int, 0),
      cache_read_input_tokens = cache_read_input_tokens
        + coalesce((written.spent #>> '{usage,cache_read_input_tokens}')::int, 0),
      cost_micros = cost_micros + coalesce((written.spent ->> 'costMicros')::bigint, 0),
      reserved_micros = CASE WHEN written.step IS NOT NULL OR written.ends OR written.parks THEN 0 ELSE reserved_micros END,
      reserved_tokens = CASE WHEN written.step IS NOT NULL OR written.ends OR written.parks THEN 0 ELSE reserved_tokens END,
      message_count = message_count + jsonb_array_length(written.messages),
      event_count = event_count + jsonb_array_length(written.told),
      pending_inputs = CASE WHEN written.taken = '[]' THEN pending_inputs ELSE '[]' END,
      status = CASE WHEN written.ends THEN written.outcome ->> 'status'
                    WHEN written.parks THEN 'requires_action' ELSE status END,
      stop_reason = written.outcome ->> 'stopReason',
      output = nullif(written.outcome -> 'output', 'null'),
      output_is_json = coalesce((written.outcome ->> 'outputIsJson')::boolean, false),
      partial = coalesce((written.outcome ->> 'partial')::boolean, false),
      error = nullif(written.outcome -> 'error', 'null'),
      finished_at = CASE WHEN written.ends THEN now() END,
      leased_until = CASE WHEN written.ends OR written.parks THEN NULL ELSE leased_until END,
      dispatched_at = CASE WHEN written.ends OR written.parks THEN NULL ELSE dispatched_at END,
      action_expires_at = CASE WHEN written.parks AND NOT written.ends
                               THEN now() + written.action_ms * interval '1 millisecond' END
  FROM written WHERE turns.id = written.id
  RETURNING turns.*, written.ends, written.parks, written.messages, written.taken, written.step, written.spent, written.said,
    written.asked, written.started, written.received, written.told, written.asked_about, written.returned, written.tool_steps, written.summary, written.refused
), session AS (
  UPDATE sessions SET open_turns = open_turns - 1
  FROM held WHERE sessions.id = held.session_id AND held.ends
  RETURNING sessions.id, sessions.open_turns
), step AS (
  INSERT INTO steps (turn_id, index, id, tenant_id, type, model, stop_reason, input_tokens, output_tokens,
                     cache_creation_input_tokens, cache_read_input_tokens, cost_micros, attempts,
                     provider_request_id, epoch, started_at)
  SELECT held.id, held.step_count - 1, step.id, held.tenant_id, step.type, step.model, step."stopReason",
         (step.usage ->> 'input_tokens')::int, (step.usage ->> 'output_tokens')::int,
         (step.usage ->> 'cache_creation_input_tokens')::int, (step.usage ->> 'cache_read_input_tokens')::int,
         step."costMicros", step.attempts, step."providerRequestId", held.epoch,
         now() - step."durationMs" * interval '1 millisecond'
  FROM held, jsonb_to_record(held.step) AS step(id text, type text, model text, "stopReason" text, usage jsonb,
                                                "costMicros" bigint, attempts int, "providerRequestId" text, "durationMs" double precision)
  WHERE held.step IS NOT NULL
), ledger AS (
  INSERT INTO ledger_entries (step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
                              cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
  SELECT step.id, held.tenant_id, held.session_id, held.id, held.agent_id, step.model,
         (step.usage ->> 'input_tokens')::int, (step.usage ->> 'output_tokens')::int,
         (step.usage ->> 'cache_creation_input_tokens')::int, (step.usage ->> 'cache_read_input_tokens')::int,
         step."costMicros", NOT EXISTS (SELECT 1 FROM budgets WHERE budgets.tenant_id = held.tenant_id)
  FROM held, jsonb_to_record(held.spent) AS step(id text, model text, usage jsonb, "costMicros" bigint)
  WHERE step.model IS NOT NULL
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, step_index, role, content, partial,
                        container)
  SELECT held.id, held.message_count - jsonb_array_length(held.messages) + entry.place - 1, entry.value ->> 'id',
         held.tenant_id, held.session_id, held.sequence,
         CASE WHEN held.step IS NOT NULL AND entry.place <= jsonb_array_length(held.said) THEN held.step_count - 1 END,
         entry.value ->> 'role', entry.value -> 'content', coalesce((entry.value ->> 'partial')::boolean, false),
         entry.value -> 'container'
  FROM held, jsonb_array_elements(held.messages) WITH ORDINALITY AS entry(value, place)
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT held.id, held.event_count - jsonb_array_length(held.told) + entry.place, entry.value ->> 'id',
         held.tenant_id,
         CASE WHEN entry.value ->> 'type' NOT LIKE 'turn.%' THEN entry.value ->> 'type'
              WHEN held.ends OR held.parks THEN 'turn.' || held.status ELSE 'step.started' END,
         CASE WHEN entry.value ->> 'type' LIKE 'turn.%' AND NOT held.ends AND NOT held.parks
              THEN jsonb_build_object('index', held.step_count) ELSE entry.value -> 'payload' END
  FROM held, jsonb_array_elements(held.told) WITH ORDINALITY AS entry(value, place)
)${parts === 'every' ? CALLS_AND_NOTES : ''}
SELECT held.id, held.status, jsonb_array_length(held.pending_inputs) AS "pendingInputs", held.taken AS "addedInputs",
  NOT held.ends AND ${isBudgeted('held')} AS "isBudgeted",
  (held.ends OR held.parks) AND (
    (SELECT session.open_turns > 0 FROM session WHERE session.id = held.session_id) IS TRUE
    OR ${waitsForDispatch('held')}) AS "othersMayRun"
FROM held`;

const advancedSchema = z.object({
  status: turnStatusSchema,
  pendingInputs: z.int(),
  isBudgeted: z.boolean(),
  othersMayRun: z.boolean(),
  addedInputs: z.array(
    z.object({ id: z.string(), role: z.literal('user'), content: z.array(contentBlockSchema) }),
  ),
}) satisfies z.ZodType<AdvanceResult>;

const ADVANCE = { name: 'advance-turn', text: advanceAs('all', 'every') };
const ADVANCE_FREE = {
  every: { name: 'advance-turns', text: advanceAs('free', 'every') },
  common: { name: 'advance-turns-common', text: advanceAs('free', 'common') },
};

export interface WriteFence {
  turnId: string;
  epoch: number;
  /** The statuses in which a lease is held. */
  from: readonly TurnStatus[];
  /** The number of the turn's newest event before this write; every write brings at least one. */
  eventCount: number;
}

/**
 * One fenced write. Returns the turn's state after it, or null if the lease is lost. If `sql` is the pool,
 * the write shares a statement with others that arrive meanwhile.
 */
export async function advanceTurn(
  sql: Sql,
  fence: WriteFence,
  advance: Advance,
): Promise<AdvanceResult | null> {
  const write: Write = { fence, given: givenOf(fence, advance), parts: partsOf(advance) };
  const shared =
    sql instanceof pg.Pool && write.given.length <= MOST_SHARED_BYTES
      ? await groupOf(sql).add(write, write.given.length)
      : null;
  // A write that its group skipped is tried alone: it waits for the lock, or learns that the lease is lost.
  const row = shared ?? (await advanceAll(sql, ADVANCE, [write]))[0];
  return row == null ? null : advancedSchema.parse(row);
}

/** One write. `given` is its JSON for the statement, `parts` what it needs of that. */
interface Write {
  fence: WriteFence;
  given: string;
  parts: Parts;
}

function partsOf(advance: Advance): Parts {
  const { requestedCalls, startedCalls, receipts, awaitingOutcome, returnedCalls, toolSteps } = advance;
  const calls = [requestedCalls, startedCalls, receipts, awaitingOutcome, returnedCalls, toolSteps];
  const isCommon =
    advance.summary === undefined && [...calls, advance.refusals].every((list) => !list?.length);
  return isCommon ? 'common' : 'every';
}

const groupOf = perPool(
  (pool) =>
    new GroupCommit({
      write: (writes: readonly Write[]) => {
        const parts = writes.every((write) => write.parts === 'common') ? 'common' : 'every';
        return advanceAll(pool, ADVANCE_FREE[parts], writes);
      },
      keyOf: ({ fence }) => fence.turnId,
    }),
);

/**
 * The results of the writes in the order of `writes`, null for each that was not written. All have the same
 * `from`.
 */
function advanceAll(
  sql: Sql,
  statement: typeof ADVANCE,
  writes: readonly Write[],
): Promise<(UnreadRow | null)[]> {
  return queryInOrder(
    sql,
    statement,
    [`[${writes.map(({ given }) => given).join()}]`, writes[0]?.fence.from ?? []],
    writes.map(({ fence }) => fence.turnId),
  );
}

function givenOf({ turnId, epoch, eventCount }: WriteFence, advance: Advance): string {
  return json({
    turn_id: turnId,
    epoch,
    built_on: eventCount,
    step: advance.step,
    said: (advance.messages ?? []).map((message) => ({ id: newId('message'), ...message })),
    asked: advance.requestedCalls ?? [],
    started: advance.startedCalls ?? [],
    received: advance.receipts ?? [],
    told: advance.events,
    outcome: advance.outcome,
    take_inputs: advance.addPendingInputs ?? false,
    action_ms: advance.action?.timeoutMs,
    asked_about: advance.awaitingOutcome ?? [],
    returned: advance.returnedCalls ?? [],
    tool_steps: advance.toolSteps ?? [],
    summary: advance.summary,
    refused: (advance.refusals ?? []).map(
      ({ turnSequence, messageIndex, blockIndex, itemIndex, certain, reason }) => ({
        turnSequence,
        messageIndex,
        block: { block_index: blockIndex, item_index: itemIndex, certain, reason },
      }),
    ),
  });
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

/** The turn's state under this epoch: tells whether a commit arrived. Null if another epoch began. */
export async function readProgress(
  sql: Sql,
  lease: { turnId: string; epoch: number },
): Promise<z.infer<typeof PROGRESS.row> | null> {
  const [progress] = await query(sql, PROGRESS, [lease.turnId, lease.epoch]);
  return progress ?? null;
}

import {
  awaitedChildTurnsSchema,
  contentBlockSchema,
  metadataSchema,
  overriddenFields,
  requiredActionSchema,
  stopReasonSchema,
  textOf,
  turnErrorSchema,
  turnOverridesSchema,
  turnStatusSchema,
  waitingForSchema,
  type ResumeTurn,
  type Turn,
} from '@turnpike/contract';
import { z } from 'zod';
import type { ParameterColumn } from '../database/parameter-rows.ts';
import { jsonObject, selectList } from '../database/select-list.ts';
import { json } from '../database/sql.ts';
import { OPEN_STATUSES } from './open-statuses.ts';
import { usageOf } from './stored-usage.ts';

/** As the database writes times into JSON. */
export const storedWaitingSchema = waitingForSchema.extend({
  since: z.string().transform((text) => new Date(text).toISOString()),
});

/** The columns of a turn that clients may see. */
export const storedTurnSchema = z.object({
  id: z.string(),
  sessionId: z.string(),
  sequence: z.int(),
  agentId: z.string(),
  agentVersion: z.int(),
  overrides: turnOverridesSchema.nullable(),
  status: turnStatusSchema,
  stopReason: stopReasonSchema.nullable(),
  output: z.array(contentBlockSchema).nullable(),
  outputIsJson: z.boolean(),
  partial: z.boolean(),
  error: turnErrorSchema.nullable(),
  metadata: metadataSchema,
  priority: z.int(),
  runAt: z.date().nullable(),
  waitingFor: storedWaitingSchema.nullable(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheCreationInputTokens: z.int(),
  cacheReadInputTokens: z.int(),
  costMicros: z.int(),
  totalCostMicros: z.int(),
  budgetMicros: z.int().nullable(),
  parentTurnId: z.string().nullable(),
  parentToolCallId: z.string().nullable(),
  batchId: z.string().nullable(),
  resumes: z.string().nullable(),
  copiedFrom: z.string().nullable(),
  traceId: z.string().nullable(),
  stepCount: z.int(),
  attempts: z.int(),
  createdAt: z.date(),
  startedAt: z.date().nullable(),
  finishedAt: z.date().nullable(),
  deadlineAt: z.date(),
  actionExpiresAt: z.date().nullable(),
  actions: requiredActionSchema.shape.tool_calls.nullable(),
  awaitedChildTurns: awaitedChildTurnsSchema.nullable(),
});

/** The tool calls that a turn in `requires_action` waits for. */
const ACTIONS = `CASE WHEN turns.status = 'requires_action' THEN (
    SELECT json_agg(${jsonObject(requiredActionSchema.shape.tool_calls.element, 'tool_calls')} ORDER BY tool_calls.position)
    FROM tool_calls WHERE tool_calls.turn_id = turns.id AND tool_calls.awaiting IS NOT NULL) END`;

/** The child turns that a parked turn waits for. */
const AWAITED_CHILD_TURNS = `CASE WHEN turns.waits_for_children AND turns.status = 'queued' THEN (
    SELECT json_agg(json_build_object('id', child.id, 'session_id', child.session_id,
                      'tool_call_id', child.parent_tool_call_id, 'status', child.status) ORDER BY child.id)
    FROM turns AS child WHERE child.parent_turn_id = turns.id AND child.status IN ${OPEN_STATUSES}) END`;

/** With that of all turns below it. One without a step has none: only calls that a step committed start child turns. */
const TOTAL_COST = `turns.cost_micros::double precision + CASE WHEN turns.step_count = 0 THEN 0 ELSE (
    SELECT coalesce(sum(below.cost_micros), 0)::double precision FROM turns AS below
    WHERE below.root_turn_id = coalesce(turns.root_turn_id, turns.id) AND turns.id = ANY (below.ancestors)) END`;

/** The select list that `storedTurnSchema` reads; `turns` must be in scope by that name. */
export const TURN_COLUMNS = selectList(storedTurnSchema, 'turns', {
  costMicros: 'turns.cost_micros::double precision',
  totalCostMicros: TOTAL_COST,
  budgetMicros: 'turns.budget_micros::double precision',
  // Of `traceparent`: version, trace, span, flags.
  traceId: "split_part(turns.traceparent, '-', 2)",
  actions: ACTIONS,
  awaitedChildTurns: AWAITED_CHILD_TURNS,
});

/** What a client asked for. A field that it left out has what the turn has then. */
export function submittedFields({ overrides, ...submitted }: ResumeTurn) {
  return {
    metadata: submitted.metadata ?? {},
    runAt: submitted.run_at ?? null,
    priority: submitted.priority ?? 0,
    budgetMicros: submitted.budget_micros ?? null,
    webhookUrl: submitted.webhook_url ?? null,
    overrides: overrides === undefined || overriddenFields(overrides).length === 0 ? null : overrides,
  };
}

/** The columns of a turn that hold what its client asked for. */
export const SUBMITTED_COLUMNS: Readonly<
  Record<string, ParameterColumn<ReturnType<typeof submittedFields>>>
> = {
  metadata: ['jsonb', ({ metadata }) => json(metadata)],
  run_at: ['timestamptz', ({ runAt }) => runAt],
  priority: ['int', ({ priority }) => priority],
  budget_micros: ['bigint', ({ budgetMicros }) => budgetMicros],
  webhook_url: ['text', ({ webhookUrl }) => webhookUrl],
  overrides: ['jsonb', ({ overrides }) => (overrides === null ? null : json(overrides))],
};

/** The turn as clients see it. */
export function asTurn(row: z.infer<typeof storedTurnSchema>): Turn {
  return {
    id: row.id,
    object: 'turn',
    status: row.status,
    session_id: row.sessionId,
    agent_id: row.agentId,
    agent_version: row.agentVersion,
    overrides: row.overrides,
    sequence: row.sequence,
    stop_reason: row.stopReason,
    output: row.output,
    output_text: row.output === null ? null : textOf(row.output),
    // It was parsed when it was validated.
    output_parsed: row.output === null || !row.outputIsJson ? null : JSON.parse(textOf(row.output)),
    partial: row.partial,
    error: row.error,
    required_action:
      row.actionExpiresAt === null || row.actions === null
        ? null
        : {
            type: 'submit_tool_outputs',
            expires_at: row.actionExpiresAt.toISOString(),
            tool_calls: row.actions,
          },
    awaited_child_turns: row.awaitedChildTurns,
    usage: usageOf(row),
    cost_micros: row.costMicros,
    total_cost_micros: row.totalCostMicros,
    budget_micros: row.budgetMicros,
    parent_turn_id: row.parentTurnId,
    parent_tool_call_id: row.parentToolCallId,
    batch_id: row.batchId,
    resumes: row.resumes,
    copied_from: row.copiedFrom,
    step_count: row.stepCount,
    trace_id: row.traceId,
    attempts: row.attempts,
    metadata: row.metadata,
    priority: row.priority,
    run_at: row.runAt?.toISOString() ?? null,
    // One that was cancelled, or ran out of time, waits no more.
    waiting_for: row.status === 'queued' ? row.waitingFor : null,
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    finished_at: row.finishedAt?.toISOString() ?? null,
    deadline_at: row.deadlineAt.toISOString(),
  };
}

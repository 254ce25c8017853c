import {
  awaitedChildTurnsSchema,
  contentBlockSchema,
  metadataSchema,
  requiredActionSchema,
  stopReasonSchema,
  textOf,
  turnErrorSchema,
  turnStatusSchema,
  waitingForSchema,
  type ResumeTurn,
  type Turn,
} from '@turnpike/contract';
import { z } from 'zod';
import type { ParameterColumn } from '../database/parameter-rows.ts';
import { jsonObject, selectList } from '../database/select-list.ts';
import { json } from '../database/sql.ts';
import { OPEN_STATUSES } from '../children/open-child.ts';
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
  budgetMicros: z.int().nullable(),
  parentTurnId: z.string().nullable(),
  parentToolCallId: z.string().nullable(),
  resumes: z.string().nullable(),
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

/** The select list that `storedTurnSchema` reads; `turns` must be in scope by that name. */
export const TURN_COLUMNS = selectList(storedTurnSchema, 'turns', {
  costMicros: 'turns.cost_micros::double precision',
  budgetMicros: 'turns.budget_micros::double precision',
  actions: ACTIONS,
  awaitedChildTurns: AWAITED_CHILD_TURNS,
});

/** The columns of a turn that hold what its client asked for, as it was asked for. */
export const SUBMITTED_COLUMNS: Readonly<Record<string, ParameterColumn<ResumeTurn>>> = {
  metadata: ['jsonb', ({ metadata }) => json(metadata ?? {})],
  run_at: ['timestamptz', ({ run_at: runAt }) => runAt ?? null],
  priority: ['int', ({ priority }) => priority ?? 0],
  budget_micros: ['bigint', ({ budget_micros: budget }) => budget ?? null],
  webhook_url: ['text', ({ webhook_url: url }) => url ?? null],
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
    budget_micros: row.budgetMicros,
    parent_turn_id: row.parentTurnId,
    parent_tool_call_id: row.parentToolCallId,
    resumes: row.resumes,
    step_count: row.stepCount,
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

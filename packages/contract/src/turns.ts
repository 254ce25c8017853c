import { z } from 'zod';
import { agentVersionSchema } from './agents.ts';
import { awaitedChildTurnsSchema } from './awaited-child-turns.ts';
import { contentBlockSchema, turnInputSchema } from './content.ts';
import { effectSchema, toolCallStatusSchema } from './effects.ts';
import { userIdSchema } from './users.ts';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';
import { waitingForSchema } from './pools.ts';
import { microsSchema } from './money.ts';
import { refusedInputSchema } from './refusals.ts';
import { stopReasonSchema, turnStatusSchema } from './statuses.ts';
import { timestampSchema } from './times.ts';
import { awaitingSchema, callInputText, callInputView, requiredActionSchema } from './tool-outputs.ts';
import { stepEffectSchema, toolStepStatusSchema } from './tool-journal.ts';
import { turnOverridesSchema } from './turn-overrides.ts';
import { usageSchema } from './usage.ts';
import { webhookUrlSchema } from './webhooks.ts';

/**
 * What a submission to a busy session does (LangGraph's terms).
 * - `enqueue`: it waits until the session's earlier turns have ended.
 * - `reject`: it is refused.
 * - `interrupt`: it cancels the open turns and keeps their messages.
 * - `rollback`: it cancels the open turns and hides their messages from the model.
 * - `steer`: its input joins the running turn before the next model call.
 */
export const multitaskStrategySchema = z
  .enum(['enqueue', 'reject', 'interrupt', 'rollback', 'steer'])
  .meta({ description: 'What the submission does if the session is busy.' });
export type MultitaskStrategy = z.infer<typeof multitaskStrategySchema>;

const MAX_AHEAD_MS = 30 * 24 * 60 * 60 * 1000;

function isSchedulable(time: string): boolean {
  const at = Date.parse(time);
  return at >= Date.UTC(2000) && at <= Date.now() + MAX_AHEAD_MS;
}

const submission = {
  input: turnInputSchema,
  metadata: metadataSchema.optional(),
  deadline_ms: z
    .int()
    .min(1000)
    .max(7 * 24 * 60 * 60 * 1000)
    .optional()
    .meta({
      description:
        'The turn ends as `incomplete` this long after it was accepted, or after `run_at`. Default: one day.',
    }),
  priority: z
    .int()
    .min(-100)
    .max(100)
    .optional()
    .meta({ description: 'Turns with a higher priority run first. Default: 0.' }),
  run_at: timestampSchema
    .refine(isSchedulable, 'must be a time from the year 2000 on, at most 30 days ahead')
    .optional()
    .meta({ description: 'The turn does not run before this time. Later turns of its session wait for it.' }),
  budget_micros: microsSchema
    .optional()
    .meta({ description: "Limit on the cost of the turn's model calls, in millionths of a US dollar." }),
  agent_version: agentVersionSchema
    .optional()
    .meta({ description: "The version of the agent. Default: the agent's newest." }),
  overrides: turnOverridesSchema.optional(),
  webhook_url: webhookUrlSchema.optional().meta({
    description:
      "Receives webhooks when this turn ends or requires action, in addition to the tenant's endpoints.",
  }),
};

/** A turn in an existing session, with the session's agent. */
export const submitTurnSchema = z
  .strictObject({ ...submission, multitask_strategy: multitaskStrategySchema.default('enqueue') })
  .refine(({ multitask_strategy: strategy, run_at: runAt }) => strategy !== 'steer' || runAt === undefined, {
    path: ['run_at'],
    message: 'cannot be set with `steer`: the input joins a turn that is running',
  })
  .refine(
    ({ multitask_strategy: strategy, agent_version: version }) =>
      strategy !== 'steer' || version === undefined,
    {
      path: ['agent_version'],
      message: 'cannot be set with `steer`: the running turn keeps its version',
    },
  )
  .refine(({ multitask_strategy: strategy, overrides }) => strategy !== 'steer' || overrides === undefined, {
    path: ['overrides'],
    message: 'cannot be set with `steer`: the running turn keeps its configuration',
  })
  .meta({ id: 'SubmitTurn' });
export type SubmitTurn = z.infer<typeof submitTurnSchema>;

/** A turn that creates its session. */
export const startTurnSchema = z
  .strictObject({
    ...submission,
    agent_id: idSchema('agent'),
    session_metadata: metadataSchema.optional(),
    user_id: userIdSchema.optional(),
    session_budget_micros: microsSchema
      .optional()
      .meta({ description: 'Limit on the total cost of the session.' }),
  })
  .meta({ id: 'StartTurn' });
export type StartTurn = z.infer<typeof startTurnSchema>;

const { input: _input, ...resumeFields } = submission;

/** A turn that continues where another one stopped. */
export const resumeTurnSchema = z.strictObject(resumeFields).meta({ id: 'ResumeTurn' });
export type ResumeTurn = z.infer<typeof resumeTurnSchema>;

const fromStep = z.int().nonnegative().meta({
  description:
    'The index of the model call that is made again first; all before it is kept. Default: 0, the whole turn.',
});

/** A turn is made again, in a fork of its session. */
export const rerunTurnSchema = z
  .strictObject({
    ...submission,
    input: turnInputSchema.optional().meta({
      description: 'In place of the input that the turn had. Only where the whole turn is made again.',
    }),
    from_step: fromStep.optional(),
    session_metadata: metadataSchema
      .optional()
      .meta({ description: 'Of the fork. Default: that of the session.' }),
    confirmation: z.string().max(100).optional().meta({
      description:
        'The `confirmation` of the preview: required where tool calls are listed there, since they may be repeated.',
    }),
  })
  .refine(({ input, from_step: step }) => input === undefined || (step ?? 0) === 0, {
    path: ['input'],
    message:
      'cannot be set with `from_step`: what was said up to there follows from the input that the turn had',
  })
  .meta({ id: 'RerunTurn' });
export type RerunTurn = z.infer<typeof rerunTurnSchema>;

/** Why a turn failed. `retry_status` (Anthropic's term) tells whether the step is or could be retried. */
export const turnErrorSchema = z
  .object({
    code: z.string(),
    message: z.string(),
    retry_status: z.enum(['retrying', 'exhausted', 'terminal']),
    request_id: z.string().nullable(),
    attempts: z
      .int()
      .nonnegative()
      .optional()
      .meta({ description: 'Number of requests to the model for the failed step.' }),
    refused: z
      .array(refusedInputSchema)
      .optional()
      .meta({ description: 'With `input_refused`: the blocks that the model API refused.' }),
  })
  .meta({ id: 'TurnError' });
export type TurnError = z.infer<typeof turnErrorSchema>;

export const turnSchema = z
  .object({
    id: idSchema('turn'),
    object: z.literal('turn'),
    status: turnStatusSchema,
    session_id: idSchema('session'),
    agent_id: idSchema('agent'),
    agent_version: z.int().positive(),
    overrides: turnOverridesSchema.nullable().meta({
      description:
        'What the turn has instead of that version, as it was submitted; null where it has nothing.',
    }),
    sequence: z.int().positive().meta({ description: 'Position of the turn in the session, starting at 1.' }),
    stop_reason: stopReasonSchema.nullable(),
    output: z
      .array(contentBlockSchema)
      .nullable()
      .meta({ description: 'Content blocks of the final response.' }),
    output_text: z.string().nullable().meta({ description: 'Text of `output`.' }),
    output_parsed: z.unknown().meta({
      description:
        'The value that `output_text` holds, of an agent or a turn with an output format; null where it has none, or the output does not fit.',
    }),
    partial: z.boolean().meta({
      description: 'True if the turn was stopped while the model wrote: `output` is what it had written.',
    }),
    error: turnErrorSchema.nullable(),
    required_action: requiredActionSchema.nullable(),
    awaited_child_turns: awaitedChildTurnsSchema.nullable(),
    usage: usageSchema,
    cost_micros: microsSchema,
    total_cost_micros: microsSchema.meta({
      description: 'The cost of the turn and of all turns below it, which its budget bounds.',
    }),
    budget_micros: microsSchema.nullable(),
    parent_turn_id: idSchema('turn').nullable().meta({
      description:
        'The turn whose call of an agent this turn is; its cost counts in the budget of that turn.',
    }),
    parent_tool_call_id: idSchema('toolCall').nullable(),
    batch_id: idSchema('batch').nullable().meta({ description: 'The batch that submitted it.' }),
    resumes: idSchema('turn').nullable().meta({ description: 'The turn that this turn continues.' }),
    copied_from: idSchema('turn').nullable().meta({
      description:
        'The turn of another session that it is a copy of, in a fork. A copy has no usage, no cost and no events.',
    }),
    step_count: z.int().nonnegative(),
    attempts: z.int().nonnegative().meta({ description: 'How often a worker claimed the turn.' }),
    trace_id: z.string().nullable().meta({
      description: 'The W3C trace that its processing is part of; null where nothing is traced.',
    }),
    metadata: metadataSchema,
    priority: z.int(),
    run_at: z.iso.datetime().nullable(),
    waiting_for: waitingForSchema.nullable().meta({
      description: 'What a queued turn waits for that no live worker has; null for any other turn.',
    }),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    finished_at: z.iso.datetime().nullable(),
    deadline_at: z.iso.datetime(),
  })
  .meta({ id: 'Turn', description: 'One user input and everything that is done to respond to it.' });
export type Turn = z.infer<typeof turnSchema>;

export const toolCallSchema = z
  .object({
    id: idSchema('toolCall'),
    tool_use_id: z.string(),
    name: z.string(),
    input: callInputView,
    input_text: callInputText,
    effect: effectSchema,
    status: toolCallStatusSchema,
    awaiting: awaitingSchema.nullable(),
    output: z.array(contentBlockSchema).nullable(),
    is_error: z.boolean(),
    attempts: z.int().nonnegative(),
    steps: z.array(
      z
        .object({
          name: z.string(),
          effect: stepEffectSchema,
          status: toolStepStatusSchema,
          started_at: z.iso.datetime(),
          completed_at: z.iso.datetime().nullable(),
        })
        .meta({ id: 'ToolStep', description: 'A durable step of a tool in code. Its result is not shown.' }),
    ),
    child_turn_id: idSchema('turn')
      .nullable()
      .meta({ description: 'The turn that a call of an agent started.' }),
    started_at: z.iso.datetime().nullable(),
    completed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ToolCall', description: 'One tool invocation that the model requested.' });

/** What a rerun may do again. */
export const rerunPreviewSchema = z
  .object({
    object: z.literal('rerun_preview'),
    turn_id: idSchema('turn'),
    from_step: z.int().nonnegative(),
    tool_calls: z
      .array(
        toolCallSchema
          .pick({
            id: true,
            tool_use_id: true,
            name: true,
            input: true,
            input_text: true,
            effect: true,
            status: true,
            output: true,
            is_error: true,
            child_turn_id: true,
            started_at: true,
            completed_at: true,
          })
          .extend({ turn_id: idSchema('turn'), step_index: z.int().nonnegative() })
          .meta({ id: 'RepeatedToolCall', description: 'A tool call that was made, and may be made again.' }),
      )
      .meta({
        description:
          'Calls after that point that may have changed something, of the turn and of the turns below it, oldest first. Long inputs and outputs are null: the steps of the turn have them.',
      }),
    tool_call_count: z
      .int()
      .nonnegative()
      .meta({ description: 'Their number. The first hundred are listed.' }),
    confirmation: z.string().meta({
      description: 'To be repeated in the rerun. It is another one once any of the calls is another.',
    }),
  })
  .meta({ id: 'RerunPreview', description: 'What a rerun of a turn may do again.' });
export type RerunPreview = z.infer<typeof rerunPreviewSchema>;

export const stepSchema = z
  .object({
    id: idSchema('step'),
    object: z.literal('step'),
    turn_id: idSchema('turn'),
    index: z.int().nonnegative(),
    type: z.enum(['model_call', 'tool_calls', 'compaction']),
    model: z.string().nullable(),
    stop_reason: z.string().nullable(),
    content: z.array(contentBlockSchema),
    usage: usageSchema,
    cost_micros: microsSchema,
    attempts: z.int().positive(),
    provider_request_id: z.string().nullable(),
    tool_calls: z.array(toolCallSchema),
    started_at: z.iso.datetime(),
    completed_at: z.iso.datetime(),
  })
  .meta({ id: 'Step', description: 'One committed step of a turn: a model call, or a round of tool calls.' });

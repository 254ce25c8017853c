import { z } from 'zod';
import { contentBlockSchema } from './content.ts';
import { idSchema } from './ids.ts';
import { toolsChangedSchema } from './mcp-servers.ts';
import { waitingForSchema } from './pools.ts';
import { stepEffectSchema, toolStepStatusSchema } from './tool-journal.ts';
import { requiredActionSchema } from './tool-outputs.ts';
import { stepSchema, turnSchema } from './turns.ts';

/** What a client may be told about a turn. All but `message.delta` and `tool.progress` are rows. */
export const EVENT_TYPES = [
  'turn.queued',
  'turn.waiting_for_tool',
  'turn.started',
  'step.started',
  'message.delta',
  'step.restarted',
  'tool.started',
  'tool.progress',
  'tool.step_started',
  'tool.step_completed',
  'tool.suspended',
  'tool.deferred',
  'tool.child_started',
  'tool.child_requires_action',
  'tool.completed',
  'step.completed',
  'input.added',
  'mcp.tools_changed',
  'turn.requires_action',
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
  'turn.incomplete',
] as const;

export const eventTypeSchema = z.enum(EVENT_TYPES);
export type EventType = z.infer<typeof eventTypeSchema>;

/** An event before it is written; the database assigns its sequence number. */
export interface NewEvent {
  id: string;
  type: EventType;
  payload: Record<string, unknown>;
}

const eventFields = {
  id: idSchema('event'),
  turn_id: idSchema('turn'),
  sequence_number: z
    .int()
    .positive()
    .meta({ description: 'Position of the event in the turn: starts at 1, without gaps.' }),
  created_at: z.iso.datetime(),
};
const stepIndex = z.int().nonnegative();
const stepReference = { name: z.string(), effect: stepEffectSchema };
const callReference = { id: idSchema('toolCall'), tool_use_id: z.string(), name: z.string() };

const eventSchemas = {
  queued: z.object({ type: z.literal('turn.queued'), ...eventFields }).meta({
    description:
      'The turn waits for a worker. Sent again when a turn continues because its required action expired.',
  }),
  waitingForTool: z
    .object({ type: z.literal('turn.waiting_for_tool'), ...eventFields, waiting_for: waitingForSchema })
    .meta({
      description:
        'No live worker of the pool has the tools of the turn. It stays queued, and runs once there is one.',
    }),
  started: z
    .object({ type: z.literal('turn.started'), ...eventFields, attempt: z.int().positive() })
    .meta({ description: 'A worker claimed the turn; `attempt` counts the claims.' }),
  stepStarted: z
    .object({ type: z.literal('step.started'), ...eventFields, step_index: stepIndex })
    .meta({ description: 'A model call begins; the text of the step is empty.' }),
  stepRestarted: z
    .object({ type: z.literal('step.restarted'), ...eventFields, step_index: stepIndex })
    .meta({ description: 'The model call begins again: discard the text of the step so far.' }),
  toolStarted: z
    .object({ type: z.literal('tool.started'), ...eventFields, tool_call: z.object(callReference) })
    .meta({ description: 'A tool call is about to be sent.' }),
  toolStepStarted: z
    .object({
      type: z.literal('tool.step_started'),
      ...eventFields,
      tool_call: z.object(callReference),
      tool_step: z.object(stepReference),
    })
    .meta({ description: 'A durable step of a tool in code is about to act.' }),
  toolStepCompleted: z
    .object({
      type: z.literal('tool.step_completed'),
      ...eventFields,
      tool_call: z.object(callReference),
      tool_step: z.object({ ...stepReference, status: toolStepStatusSchema.exclude(['started']) }),
    })
    .meta({ description: 'A durable step has an outcome, and is not done again; `undone`: it did nothing.' }),
  toolSuspended: z
    .object({
      type: z.literal('tool.suspended'),
      ...eventFields,
      tool_call: z.object(callReference),
    })
    .meta({ description: 'A tool call asks a question. `turn.requires_action` follows, and has it.' }),
  toolDeferred: z
    .object({
      type: z.literal('tool.deferred'),
      ...eventFields,
      tool_call: z.object(callReference),
      retry_after_ms: z.number().nonnegative(),
    })
    .meta({ description: 'A tool did nothing, and asked to be called again later.' }),
  toolChildStarted: z
    .object({
      type: z.literal('tool.child_started'),
      ...eventFields,
      tool_call: z.object(callReference),
      child_turn_id: idSchema('turn'),
      child_session_id: idSchema('session'),
    })
    .meta({ description: 'A call of another agent started a child turn. Comes after `tool.started`.' }),
  toolChildRequiresAction: z
    .object({
      type: z.literal('tool.child_requires_action'),
      ...eventFields,
      tool_call: z.object(callReference),
      child_turn_id: idSchema('turn'),
      child_session_id: idSchema('session'),
    })
    .meta({
      description:
        'A turn below this one, on any level, is in `requires_action`: `child_turn_id` is answered at its own id.',
    }),
  toolCompleted: z
    .object({
      type: z.literal('tool.completed'),
      ...eventFields,
      tool_call: z.object({
        ...callReference,
        status: z.enum(['completed', 'unknown']),
        is_error: z.boolean(),
        output: z.array(contentBlockSchema).nullable(),
      }),
    })
    .meta({ description: 'A tool call has a result, or its outcome is unknown (`output` is null).' }),
  stepCompleted: z
    .object({
      type: z.literal('step.completed'),
      ...eventFields,
      step: stepSchema.omit({ tool_calls: true }),
    })
    .meta({ description: 'The whole step. It replaces every `message.delta` of the step.' }),
  inputAdded: z
    .object({ type: z.literal('input.added'), ...eventFields })
    .meta({ description: 'Messages joined the running turn (`multitask_strategy: "steer"`).' }),
  mcpToolsChanged: z
    .object({ type: z.literal('mcp.tools_changed'), ...eventFields, ...toolsChangedSchema.shape })
    .meta({
      description:
        'An MCP server listed other tools, or describes them otherwise, than when it was last asked.',
    }),
  requiresAction: z
    .object({
      type: z.literal('turn.requires_action'),
      ...eventFields,
      required_action: requiredActionSchema,
    })
    .meta({ description: 'The turn waits for tool outputs, approvals, outcomes or answers.' }),
  ended: z
    .object({
      type: z.enum(['turn.completed', 'turn.failed', 'turn.cancelled', 'turn.incomplete']),
      ...eventFields,
      turn: turnSchema,
    })
    .meta({ description: 'The turn has ended. The last event of a turn.' }),
};

/** A stored event as clients receive it: committed, numbered, and the same on every read. */
export const turnFactSchema = z
  .discriminatedUnion('type', [
    eventSchemas.queued,
    eventSchemas.waitingForTool,
    eventSchemas.started,
    eventSchemas.stepStarted,
    eventSchemas.stepRestarted,
    eventSchemas.toolStarted,
    eventSchemas.toolStepStarted,
    eventSchemas.toolStepCompleted,
    eventSchemas.toolSuspended,
    eventSchemas.toolDeferred,
    eventSchemas.toolChildStarted,
    eventSchemas.toolChildRequiresAction,
    eventSchemas.toolCompleted,
    eventSchemas.stepCompleted,
    eventSchemas.inputAdded,
    eventSchemas.mcpToolsChanged,
    eventSchemas.requiresAction,
    eventSchemas.ended,
  ])
  .meta({ id: 'TurnFact', description: 'A stored event of a turn.' });
export type TurnFact = z.infer<typeof turnFactSchema>;

/**
 * A chunk of a model response that is being streamed. It has no sequence number, is kept only for minutes, and
 * `step.completed` repeats its text. `text.slice(0, offset) + chunk` is correct even if a chunk arrives twice.
 */
export const messageDeltaSchema = z
  .object({
    type: z.literal('message.delta'),
    turn_id: idSchema('turn'),
    step_index: stepIndex,
    attempt: z.int().nonnegative().meta({
      description:
        'Identifies the attempt at the step: the sequence number of the newest event when the attempt began.',
    }),
    offset: z.int().nonnegative().meta({
      description: 'Where the chunk starts in the text of the step, in UTF-16 code units.',
    }),
    text: z.string(),
  })
  .meta({ id: 'MessageDelta', description: 'A preview: a chunk of the text of the current step.' });
export type MessageDelta = z.infer<typeof messageDeltaSchema>;

/** How far a tool call is. It is not stored: a client that connects later does not see it. */
export const toolProgressSchema = z
  .object({
    type: z.literal('tool.progress'),
    turn_id: idSchema('turn'),
    tool_call_id: idSchema('toolCall'),
    progress: z
      .union([z.string(), z.number()])
      .meta({ description: 'A text, or a share of the work from 0 to 1.' }),
  })
  .meta({ id: 'ToolProgress', description: 'A preview: how far a tool call is.' });
export type ToolProgress = z.infer<typeof toolProgressSchema>;

/** An event of a stream, sent as one line of `data`. */
export const turnEventSchema = z
  .union([turnFactSchema, messageDeltaSchema, toolProgressSchema])
  .meta({ id: 'TurnEvent', description: 'The `data` of a server-sent event; `type` is its `event`.' });
export type TurnEvent = z.infer<typeof turnEventSchema>;

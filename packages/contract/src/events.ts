import { z } from 'zod';
import { contentBlockSchema } from './content.ts';
import { idSchema } from './ids.ts';
import { requiredActionSchema } from './tool-outputs.ts';
import { stepSchema, turnSchema } from './turns.ts';

/** What a client may be told about a turn. All but `message.delta` are rows. */
export const EVENT_TYPES = [
  'turn.queued',
  'turn.started',
  'step.started',
  'message.delta',
  'step.restarted',
  'tool.started',
  'tool.completed',
  'step.completed',
  'input.added',
  'turn.requires_action',
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
  'turn.incomplete',
] as const;

export const eventTypeSchema = z.enum(EVENT_TYPES);
export type EventType = z.infer<typeof eventTypeSchema>;

/** A fact before it is written; the database numbers it. */
export interface NewEvent {
  id: string;
  type: EventType;
  payload: Record<string, unknown>;
}

const fact = {
  id: idSchema('event'),
  turn_id: idSchema('turn'),
  sequence_number: z.int().positive().meta({ description: 'Its position in the turn, from 1 without gaps.' }),
  created_at: z.iso.datetime(),
};
const stepIndex = z.int().nonnegative();
const callNamed = { id: idSchema('toolCall'), tool_use_id: z.string(), name: z.string() };

const factsOf = {
  queued: z.object({ type: z.literal('turn.queued'), ...fact }).meta({
    description: 'The turn waits for a worker. Comes again where it continues after an action expired.',
  }),
  started: z
    .object({ type: z.literal('turn.started'), ...fact, attempt: z.int().positive() })
    .meta({ description: 'A worker claimed the turn; `attempt` counts the claims.' }),
  stepStarted: z
    .object({ type: z.literal('step.started'), ...fact, step_index: stepIndex })
    .meta({ description: 'A model call begins; the text of the step is empty.' }),
  stepRestarted: z
    .object({ type: z.literal('step.restarted'), ...fact, step_index: stepIndex })
    .meta({ description: 'The model call begins again: discard the text of the step so far.' }),
  toolStarted: z
    .object({ type: z.literal('tool.started'), ...fact, tool_call: z.object(callNamed) })
    .meta({ description: 'A tool call is about to be sent.' }),
  toolCompleted: z
    .object({
      type: z.literal('tool.completed'),
      ...fact,
      tool_call: z.object({
        ...callNamed,
        status: z.enum(['completed', 'unknown']),
        is_error: z.boolean(),
        output: z.array(contentBlockSchema).nullable(),
      }),
    })
    .meta({ description: 'A tool call has a result, or its outcome is unknown (`output` is null).' }),
  stepCompleted: z
    .object({ type: z.literal('step.completed'), ...fact, step: stepSchema.omit({ tool_calls: true }) })
    .meta({ description: 'The whole step. It replaces every `message.delta` of the step.' }),
  inputAdded: z
    .object({ type: z.literal('input.added'), ...fact })
    .meta({ description: 'Messages joined the running turn (`multitask_strategy: "steer"`).' }),
  requiresAction: z
    .object({
      type: z.literal('turn.requires_action'),
      ...fact,
      required_action: requiredActionSchema,
    })
    .meta({ description: 'The turn waits for tool outputs, approvals or outcomes.' }),
  ended: z
    .object({
      type: z.enum(['turn.completed', 'turn.failed', 'turn.cancelled', 'turn.incomplete']),
      ...fact,
      turn: turnSchema,
    })
    .meta({ description: 'The turn has ended. The last event of a turn.' }),
};

/** A fact as clients get it: committed, numbered, and the same at every read. */
export const turnFactSchema = z
  .discriminatedUnion('type', [
    factsOf.queued,
    factsOf.started,
    factsOf.stepStarted,
    factsOf.stepRestarted,
    factsOf.toolStarted,
    factsOf.toolCompleted,
    factsOf.stepCompleted,
    factsOf.inputAdded,
    factsOf.requiresAction,
    factsOf.ended,
  ])
  .meta({ id: 'TurnFact', description: 'Something that happened to a turn, committed.' });
export type TurnFact = z.infer<typeof turnFactSchema>;

/**
 * A piece of a model response in progress. It is a preview, not a fact: it has no number, is kept for minutes, and
 * `step.completed` repeats all of it. `text.slice(0, offset) + piece` is correct also where a piece comes twice.
 */
export const messageDeltaSchema = z
  .object({
    type: z.literal('message.delta'),
    turn_id: idSchema('turn'),
    step_index: stepIndex,
    attempt: z.int().nonnegative().meta({
      description:
        'The attempt at the step that it belongs to: the number of the newest event when that attempt began.',
    }),
    offset: z.int().nonnegative().meta({
      description: 'Length of the text of the step before it, in UTF-16 code units, as JavaScript counts.',
    }),
    text: z.string(),
  })
  .meta({ id: 'MessageDelta', description: 'A preview: a piece of the text of the step in progress.' });
export type MessageDelta = z.infer<typeof messageDeltaSchema>;

/** What a stream sends, each as one line of `data`. */
export const turnEventSchema = z
  .union([turnFactSchema, messageDeltaSchema])
  .meta({ id: 'TurnEvent', description: 'The `data` of a server-sent event; `type` is its `event`.' });
export type TurnEvent = z.infer<typeof turnEventSchema>;

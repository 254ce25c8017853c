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

/** A fact on its way into the log; its number is given by the row that is written. */
export interface NewEvent {
  id: string;
  type: EventType;
  payload: Record<string, unknown>;
}

const fact = {
  id: idSchema('event'),
  turn_id: idSchema('turn'),
  sequence_number: z
    .int()
    .positive()
    .meta({ description: 'Its place in the turn, from 1 and without gaps.' }),
  created_at: z.iso.datetime(),
};
const stepIndex = z.int().nonnegative();
const callNamed = { id: idSchema('toolCall'), tool_use_id: z.string(), name: z.string() };

const factsOf = {
  queued: z.object({ type: z.literal('turn.queued'), ...fact }),
  started: z.object({ type: z.literal('turn.started'), ...fact, attempt: z.int().positive() }),
  stepStarted: z.object({ type: z.literal('step.started'), ...fact, step_index: stepIndex }),
  stepRestarted: z
    .object({ type: z.literal('step.restarted'), ...fact, step_index: stepIndex })
    .meta({ description: 'The step begins anew: the text that came of it so far is void.' }),
  toolStarted: z.object({ type: z.literal('tool.started'), ...fact, tool_call: z.object(callNamed) }),
  toolCompleted: z.object({
    type: z.literal('tool.completed'),
    ...fact,
    tool_call: z.object({
      ...callNamed,
      status: z.enum(['completed', 'unknown']),
      is_error: z.boolean(),
      output: z.array(contentBlockSchema).nullable(),
    }),
  }),
  stepCompleted: z
    .object({ type: z.literal('step.completed'), ...fact, step: stepSchema.omit({ tool_calls: true }) })
    .meta({ description: 'The whole step: it takes the place of every `message.delta` of it.' }),
  inputAdded: z.object({ type: z.literal('input.added'), ...fact }),
  requiresAction: z.object({
    type: z.literal('turn.requires_action'),
    ...fact,
    required_action: requiredActionSchema,
  }),
  ended: z
    .object({
      type: z.enum(['turn.completed', 'turn.failed', 'turn.cancelled', 'turn.incomplete']),
      ...fact,
      turn: turnSchema,
    })
    .meta({ description: 'The last event of a turn.' }),
};

/** A fact as clients get it: committed, numbered, and the same whenever it is read. */
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
  .meta({ id: 'TurnFact', description: 'Something that happened to a turn, for good.' });
export type TurnFact = z.infer<typeof turnFactSchema>;

/**
 * A piece of an answer on its way. It is no fact: it has no number, is not kept for long, and
 * `step.completed` says all of it again. `text.slice(0, offset) + piece` is right however often it comes.
 */
export const messageDeltaSchema = z
  .object({
    type: z.literal('message.delta'),
    turn_id: idSchema('turn'),
    step_index: stepIndex,
    attempt: z.int().nonnegative().meta({
      description: 'Which try at the step it belongs to: the number of the newest event when that try began.',
    }),
    offset: z.int().nonnegative().meta({
      description: 'Length of the text of the step before it, in UTF-16 code units, as JavaScript counts.',
    }),
    text: z.string(),
  })
  .meta({ id: 'MessageDelta', description: 'A preview: a piece of the text of the step under way.' });
export type MessageDelta = z.infer<typeof messageDeltaSchema>;

/** What a stream brings, each as one line of `data`. */
export const turnEventSchema = z
  .union([turnFactSchema, messageDeltaSchema])
  .meta({ id: 'TurnEvent', description: 'The `data` of a server-sent event; `type` is its `event`.' });
export type TurnEvent = z.infer<typeof turnEventSchema>;

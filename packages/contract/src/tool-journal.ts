import { z } from 'zod';
import type { TurnContext } from './turn-context.ts';

/** What a durable step does when it is done a second time: as the effects of tools. */
export const stepEffectSchema = z.enum(['read', 'idempotent', 'once']);
export type StepEffect = z.infer<typeof stepEffectSchema>;

/**
 * The status of a durable step: `started` (it may have acted), `completed` (its result is known), `failed` (it ended
 * with an error), `undone` (it did nothing, and may be done).
 */
export const toolStepStatusSchema = z.enum(['started', 'completed', 'failed', 'undone']);

/**
 * A part of a tool call's work that is committed by itself: a durable step, or a person's answer to the call's
 * question. What has an outcome never changes.
 */
export const toolStepSchema = z.object({
  kind: z.enum(['step', 'answer']),
  /** Differs from those of the call's other steps of this kind. */
  name: z.string(),
  effect: stepEffectSchema,
  status: toolStepStatusSchema,
  /** JSON text: the result, or the message of the error. Null while there is none. */
  result: z.string().nullable(),
});
export type ToolStep = z.infer<typeof toolStepSchema>;

/** What a tool call asks a person. */
export const questionSchema = z
  .object({
    name: z.string().meta({ description: "Tells the call's questions apart." }),
    text: z.string().meta({ description: 'The question, to be shown to a person.' }),
    answer_schema: z
      .record(z.string(), z.unknown())
      .meta({ description: 'The JSON Schema of the answer: its form.' }),
  })
  .meta({ id: 'Question', description: 'What a tool call asks a person (`call.suspend`).' });
export type Question = z.infer<typeof questionSchema>;

/** What one tool call of a turn is given, beside its turn's context. */
export interface ToolCallContext extends TurnContext {
  /** As `signal`, but a drain does not abort it. */
  readonly endSignal: AbortSignal;
  /** The labels of the turn and of its session. */
  readonly metadata: {
    readonly turn: Readonly<Record<string, string>>;
    readonly session: Readonly<Record<string, string>>;
  };
  /** How often this call has been started, this time included. */
  readonly attempt: number;
  /** The steps of the call that are committed. */
  steps(): readonly ToolStep[];
  /** Commits a step under the lease. Throws `LeaseLostError`. */
  commitStep(step: ToolStep): Promise<void>;
  /** Shows how far the call is: a text, or a share from 0 to 1. It is not kept, and may be lost. */
  showProgress(progress: string | number): void;
}

import { z } from 'zod';

/**
 * What happens when a call is made twice; each tool declares one.
 * - `read`: nothing, it may be repeated.
 * - `idempotent`: the other side removes duplicates by the Idempotency-Key (the tool call's id).
 * - `once`: a second call acts again, so it is sent at most once.
 * - `reconcile`: the tool can be asked whether the first call happened.
 */
export const effectSchema = z.enum(['read', 'idempotent', 'once', 'reconcile']);
export type Effect = z.infer<typeof effectSchema>;

/** Whether a call may be made again when nobody knows how the first one ended. */
export function mayRepeat(effect: Effect): boolean {
  return effect === 'read' || effect === 'idempotent';
}

/**
 * Where a tool call is: `pending` (asked for), `started` (it may have left), `completed`
 * (its output is known), `unknown` (it was started, and nobody can say how it ended).
 */
export const toolCallStatusSchema = z.enum(['pending', 'started', 'completed', 'unknown']);
export type ToolCallStatus = z.infer<typeof toolCallStatusSchema>;

/** What the model is told of a call that may have left, gave no answer and must not be sent again. */
export const UNKNOWN_OUTCOME =
  'It is not known whether this call took effect: it was sent, and no answer was recorded. ' +
  'It was not sent again. Check before you repeat it.';

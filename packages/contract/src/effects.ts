import { z } from 'zod';

/**
 * What a repeated call would do. Each tool declares one effect.
 * - `read`: no side effect; the call may be repeated.
 * - `idempotent`: the server discards duplicates by the Idempotency-Key (the tool call's id).
 * - `once`: a second call would act again, so the call is sent at most once.
 * - `reconcile`: the tool can be asked whether the first call took effect.
 */
export const effectSchema = z.enum(['read', 'idempotent', 'once', 'reconcile']);
export type Effect = z.infer<typeof effectSchema>;

/** Whether a call may be repeated when the outcome of the first attempt is unknown. */
export function mayRepeat(effect: Effect): boolean {
  return effect === 'read' || effect === 'idempotent';
}

/**
 * The status of a tool call: `pending` (requested by the model), `started` (possibly sent), `completed`
 * (its output is known), `unknown` (sent, and its outcome cannot be determined).
 */
export const toolCallStatusSchema = z.enum(['pending', 'started', 'completed', 'unknown']);
export type ToolCallStatus = z.infer<typeof toolCallStatusSchema>;

/** The tool result for a call that may have been sent, has no known outcome and must not be repeated. */
export const UNKNOWN_OUTCOME =
  'It is not known whether this call took effect: it was sent, and no response was recorded. ' +
  'It was not sent again. Check before you repeat it.';

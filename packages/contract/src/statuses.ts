import { z } from 'zod';

/** The statuses of a turn. They follow OpenAI's background responses, which clients know. */
export const TURN_STATUSES = [
  'queued',
  'in_progress',
  'requires_action',
  'cancelling',
  'completed',
  'failed',
  'cancelled',
  'incomplete',
] as const;

export const turnStatusSchema = z.enum(TURN_STATUSES);
export type TurnStatus = z.infer<typeof turnStatusSchema>;

export const FINAL_STATUSES = ['completed', 'failed', 'cancelled', 'incomplete'] as const;
export type FinalStatus = (typeof FINAL_STATUSES)[number];

/** True if the turn has ended: it never changes again. */
export function isFinal(status: TurnStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly string[]).includes(status);
}

/** True if the turn has ended, or waits for the client. */
export function isSettled(status: TurnStatus): boolean {
  return isFinal(status) || status === 'requires_action';
}

/** Why a turn stopped: the model's stop reasons, and the limits of the service. */
export const STOP_REASONS = [
  'end_turn',
  'stop_sequence',
  'refusal',
  'max_tokens',
  'model_context_window_exceeded',
  'max_steps',
  'pause_turn',
  'deadline',
  'budget',
  'output_invalid',
] as const;

export const stopReasonSchema = z.enum(STOP_REASONS);
export type StopReason = z.infer<typeof stopReasonSchema>;

import { z } from 'zod';

/** The words for where a turn is; those of OpenAI's background responses, so that clients know them. */
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

/** True once nothing will ever change this turn again. */
export function isFinal(status: TurnStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly string[]).includes(status);
}

/** True when there is nothing left to wait for, or the client is the one who is waited for. */
export function isSettled(status: TurnStatus): boolean {
  return isFinal(status) || status === 'requires_action';
}

/** Why a turn stopped: the model's own words, and ours for a limit of the service. */
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
] as const;

export const stopReasonSchema = z.enum(STOP_REASONS);
export type StopReason = z.infer<typeof stopReasonSchema>;

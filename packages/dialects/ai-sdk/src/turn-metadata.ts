import type { StopReason, Turn } from '@turnpike/contract';
import type { ChunkMetadata, FinishReason } from './chunks.ts';

/** What the message of a turn says of it from the start. */
export const startMetadata = ({ id, session_id: sessionId, created_at: createdAt }: Turn): ChunkMetadata => ({
  turn_id: id,
  session_id: sessionId,
  created_at: createdAt,
});

/** And once it has ended. */
export const endMetadata = (turn: Turn): ChunkMetadata => ({
  status: turn.status,
  stop_reason: turn.stop_reason,
  usage: turn.usage,
  cost_micros: turn.cost_micros,
});

const REASONS: Partial<Record<StopReason, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  refusal: 'content-filter',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
};

export function finishReasonOf({ status, stop_reason: reason }: Turn): FinishReason {
  if (status === 'cancelled' || reason === null) return 'other';
  return REASONS[reason] ?? 'other';
}

/** Of a call that its turn ended without. */
export const NO_RESULT = 'The turn ended before this call had a result.';
/** Of a call whose outcome is unknown. */
export const UNKNOWN = 'The call was sent, and its outcome is unknown.';

export const errorTextOf = ({ error }: Turn): string => error?.message ?? 'The turn failed.';

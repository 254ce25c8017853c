import type { Turn } from './turns.ts';

/**
 * The HTTP response to a submit that was accepted. It is made of the turn alone, so that what is kept with an
 * idempotency key is what was sent, byte for byte. `body`: the turn as JSON, where that is known.
 */
export function acceptedResponse(
  turn: Turn,
  body: string = JSON.stringify(turn),
): {
  status: number;
  headers: Record<string, string>;
  body: string;
} {
  return {
    status: 202,
    headers: { Location: `/v1/turns/${turn.id}`, 'Retry-After': '1' },
    body,
  };
}

import type { Turn } from './turns.ts';

/**
 * The HTTP response to a submit that was accepted. It is made of the turn alone, so that what is kept with an
 * idempotency key is what was sent, byte for byte.
 */
export function acceptedResponse(turn: Turn): {
  status: number;
  headers: Record<string, string>;
  body: string;
} {
  return {
    status: 202,
    headers: { Location: `/v1/turns/${turn.id}`, 'Retry-After': '1' },
    body: JSON.stringify(turn),
  };
}

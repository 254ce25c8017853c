import type { Turn } from '@turnpike/contract';

/** Why a session is idle after a turn. */
export function stopReasonOf({ status, stop_reason: reason }: Turn): { type: string } {
  if (reason === 'refusal') return { type: 'refusal' };
  if (status === 'incomplete' && reason === 'budget') return { type: 'budget_reached' };
  return { type: status === 'completed' || status === 'cancelled' ? 'end_turn' : 'retries_exhausted' };
}

/** Kinds of errors, by the beginnings of the codes of ours. */
const TYPES: readonly (readonly [RegExp, string])[] = [
  [/overloaded|unavailable|outage/, 'model_overloaded_error'],
  [/rate_limit/, 'model_rate_limited_error'],
  [/billing|credit/, 'billing_error'],
  [/^model|^input_refused/, 'model_request_failed_error'],
];

/** What went wrong, for a turn that did not do what was asked; null for any other. */
export function errorOfTurn({ status, stop_reason: reason, error }: Turn): object | null {
  if (status === 'failed') {
    const code = error?.code ?? 'unknown';
    const type = TYPES.find(([pattern]) => pattern.test(code))?.[1] ?? 'unknown_error';
    const message = error === null ? 'The turn failed.' : `${error.code}: ${error.message}`;
    return {
      type,
      message,
      retry_status: { type: error?.retry_status === 'exhausted' ? 'exhausted' : 'terminal' },
    };
  }
  if (status !== 'incomplete' || reason === 'budget' || reason === 'refusal') return null;
  const message = `The turn ended before it was complete: ${reason ?? 'unknown'}.`;
  return { type: 'unknown_error', message, retry_status: { type: 'terminal' } };
}

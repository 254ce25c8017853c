import { OutcomeUnknownError } from '@turnpike/contract';
import { EgressUnreachableError, retryAfterMs, type EgressResponse } from '@turnpike/egress';

const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 2_000;
/** Where a tool asks for more, the model is told instead. */
const MAX_RETRY_AFTER_MS = 5_000;
const TEMPORARY = new Set([408, 425, 429]);

/**
 * Milliseconds before the same call may be sent again, with full jitter; null where that cannot help, or where the
 * tool asks for a long wait. `sends`: how often it was sent; `nowMs`: since 1970.
 */
export function retryWait(
  outcome: { response: EgressResponse } | { failure: unknown },
  sends: number,
  nowMs: number,
): number | null {
  const jittered = Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (sends - 1));
  if ('failure' in outcome) {
    const { failure } = outcome;
    const isTemporary = failure instanceof EgressUnreachableError || failure instanceof OutcomeUnknownError;
    return isTemporary ? jittered : null;
  }
  const { status, headers } = outcome.response;
  if (status < 500 && !TEMPORARY.has(status)) return null;
  const requested = retryAfterMs(headers['retry-after'], nowMs);
  return requested > MAX_RETRY_AFTER_MS ? null : Math.max(requested, jittered);
}

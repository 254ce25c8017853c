import { OutcomeUnknownError } from '@turnpike/contract';
import { EgressUnreachableError, retryAfterMs, type EgressResponse } from '@turnpike/egress';

const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 2_000;
/** A tool that asks for more is told to the model instead. */
const MAX_RETRY_AFTER_MS = 5_000;
const PASSING = new Set([408, 425, 429]);

/**
 * Milliseconds before the same call may be sent again, with full jitter; null where that cannot help, or
 * where the tool wants to be left alone for long. `sends`: how often it was sent; `nowMs`: since 1970.
 */
export function retryWait(
  outcome: { answer: EgressResponse } | { failure: unknown },
  sends: number,
  nowMs: number,
): number | null {
  const jittered = Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (sends - 1));
  if ('failure' in outcome) {
    const { failure } = outcome;
    const mayPass = failure instanceof EgressUnreachableError || failure instanceof OutcomeUnknownError;
    return mayPass ? jittered : null;
  }
  const { status, headers } = outcome.answer;
  if (status < 500 && !PASSING.has(status)) return null;
  const asked = retryAfterMs(headers['retry-after'], nowMs);
  return asked > MAX_RETRY_AFTER_MS ? null : Math.max(asked, jittered);
}

import { leaseWaitMs } from './backoff.ts';
import type { BuiltRequest } from './build-request.ts';
import type { CallState } from './call-state.ts';
import type { Failure } from './classify-error.ts';
import { isKeyFailure } from './key-cooldowns.ts';
import type { ModelKey } from './key-ring.ts';
import { isBroken, isOutage } from './outage.ts';
import { locateRefusal } from './read-refusal.ts';
import type { RequestProgress } from './stream-message.ts';

/**
 * The request after one that failed: at once, with another key or without what was refused; or the same again after
 * a wait.
 */
export type NextAttempt = { next: 'at_once' } | { next: 'retry'; failure: Failure };

const ALL_LIMITED = 'Every model key is rate-limited or refused now.';
/** The Messages API's words for thinking whose signature it does not know, or that was changed. */
const THINKING_REFUSED = /signature|thinking/i;

/** Decides how to go on after a failure that allows another attempt; throws any other as a ModelError. */
export async function nextAttempt(
  state: CallState,
  key: ModelKey,
  seen: Failure,
  progress: RequestProgress,
): Promise<NextAttempt> {
  const { guard, limits } = state.parts;
  state.lastRequestId = seen.providerRequestId;
  if (dropsThinking(state, seen) || dropsContainer(state, seen)) return { next: 'at_once' };
  if (isBroken(seen, progress)) {
    state.brokenResponses += 1;
    if (state.brokenResponses >= limits.maxBrokenResponses) throw state.error(seen.code, seen.message);
  }
  const openMs = guard.openForMs(key.id);
  const opensBreaker = openMs > 0 && isOutage(seen, progress);
  let hasOtherKey = false;
  let failure = seen;
  if (isKeyFailure(seen)) {
    state.keys.recordFailure(key, seen);
    const other = await state.chooseKey();
    hasOtherKey = other.waitMs === 0;
    if (!hasOtherKey) failure = await untilAnyKey(state, seen);
    // Before the turn fails for good, a key that was refused in an earlier call is tried once more.
    if (failure.terminal && !state.keys.hasFailed(other.key)) hasOtherKey = true;
  } else if (opensBreaker) {
    hasOtherKey = (await state.chooseKey()).waitMs === 0;
  }
  const { code, message, terminal } = failure;
  if (terminal && !hasOtherKey) {
    const { refusal } = failure;
    const refused = refusal && locateRefusal(refusal, state.built.body.messages);
    throw state.error(code, message, { terminal, refused });
  }
  const isKnownOutage = opensBreaker && !hasOtherKey;
  // It says something about the API and nothing about this step, whose last attempt is not used up by it. Such a
  // request is a retry all the same, and each of them is taken from the retry budget.
  if (isKnownOutage && !isBroken(seen, progress))
    state.attempts = Math.min(state.attempts, Math.max(1, limits.maxTotalAttempts - 1));
  // Neither is terminal: another turn with the same input may well succeed.
  const isTimeUp = code === 'model_step_timeout' && !isKnownOutage;
  if (isTimeUp || state.attempts >= limits.maxTotalAttempts) throw state.error(code, message);
  // Before the wait, and also when another lease makes the retry: the text is void from now on.
  if (progress.textGiven) state.call.events.emit('restarted');
  if (hasOtherKey && isKeyFailure(seen)) return { next: 'at_once' };
  const requestedMs = failure.retryAfterMs ?? 0;
  if (isKnownOutage) throw state.parked(code, message, Math.max(openMs, requestedMs), state.outage);
  if (state.tries - state.call.previousAttempts >= limits.maxAttempts) {
    throw state.parked(code, message, Math.max(leaseWaitMs(state.tries, limits), requestedMs));
  }
  return { next: 'retry', failure };
}

/** Thinking that another model signed, or a gateway changed, is refused whenever it is sent: it is dropped at once. */
function dropsThinking(state: CallState, { code, message }: Failure): boolean {
  if (code !== 'model_rejected_request' || state.isWithoutThinking) return false;
  if (!state.built.hasThinking || !THINKING_REFUSED.test(message)) return false;
  state.isWithoutThinking = true;
  state.rebuild();
  return true;
}

/**
 * A container that has expired, or is of another key, is refused whenever it is sent. The API says so, or responds with
 * 500: a second time, it may be the container.
 */
function dropsContainer(state: CallState, { code, message, status }: Failure): boolean {
  if (state.isWithoutContainer || !hasContainer(state.built.body.container)) return false;
  const isNamed = CONTAINER_REFUSED.has(code) && /container/i.test(message);
  if (!isNamed && !(status === 500 && state.tries > 1)) return false;
  state.isWithoutContainer = true;
  state.rebuild();
  return true;
}

const CONTAINER_REFUSED = new Set(['model_rejected_request', 'model_not_found', 'model_permission']);

function hasContainer(container: BuiltRequest['body']['container']): boolean {
  return typeof container === 'string' || (container?.id ?? null) !== null;
}

/** No key can be used now: a failure that can be waited out where one of them is only rate-limited. */
async function untilAnyKey(state: CallState, failure: Failure): Promise<Failure> {
  const waitMs = await state.keys.shortestWaitMs(state.turn.signal).catch((error: unknown) => {
    throw state.keyError(error);
  });
  if (waitMs === Infinity) return failure;
  const retryAfterMs = waitMs === 0 ? undefined : waitMs;
  if (!failure.terminal) return { ...failure, retryAfterMs };
  return { ...failure, code: 'model_rate_limited', terminal: false, message: ALL_LIMITED, retryAfterMs };
}

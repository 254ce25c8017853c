import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelCall, ModelResponse } from '@turnpike/contract';
import { BulkheadFullError, CircuitOpenError, type GuardedCall } from '@turnpike/egress';
import type { WholeMessage } from './assemble-message.ts';
import { backoffMs } from './backoff.ts';
import { CallState, type CallParts } from './call-state.ts';
import type { Failure } from './classify-error.ts';
import { holdRoom } from './hold-room.ts';
import type { ModelKey } from './key-ring.ts';
import { nextAttempt, type NextAttempt } from './next-attempt.ts';
import { isOutage } from './outage.ts';
import { sendRequest, STEP_TIMEOUT } from './send-request.ts';
import { newProgress, type RequestProgress } from './stream-message.ts';

const CIRCUIT_OPEN = 'The model API is failing; no requests are sent to it for a moment.';
const BUSY = 'Too many calls of this model are in progress.';
const EXHAUSTED = 'All attempts at this model call are used up.';

/**
 * One model call with its retries. Throws ModelError without a whole response, and the signal's reason.
 * How a ModelError is to be read:
 * - `terminal`: trying again cannot help.
 * - not terminal, with `retryAfterMs`: try again after that, with `previousAttempts: attempts`.
 * - not terminal, without `retryAfterMs`: it could have worked, but the attempts are used up.
 */
export async function callModel(parts: CallParts, call: ModelCall): Promise<ModelResponse> {
  call.turn.signal.throwIfAborted();
  const state = new CallState(parts, call);
  if (state.attempts >= parts.limits.maxTotalAttempts) {
    throw state.error('model_attempts_exhausted', EXHAUSTED);
  }
  for (;;) {
    const { key } = await state.chooseKey();
    const result = await attempt(state, key);
    if ('content' in result) return result;
    state.isFailover = result.next === 'at_once';
    if (result.next === 'retry') await waitBeforeRetry(state, result.failure);
  }
}

/** One request with this key, behind its circuit breaker. */
async function attempt(state: CallState, key: ModelKey): Promise<ModelResponse | NextAttempt> {
  const { guard, limits } = state.parts;
  const progress = newProgress();
  state.keyName = key.name;
  let end: WholeMessage | Failure;
  const giveBackRoom = await holdRoom(state, key);
  try {
    const send = (guarded: GuardedCall) => sendRequest(state, key, guarded, progress, giveBackRoom);
    end = await guard.run(key.id, state.turn.signal, send, {
      // A request that throws was never sent, or is a bug of ours: neither says anything about the API.
      isFailure: (outcome) => ('error' in outcome ? null : countsAsOutage(outcome.result, progress)),
    });
  } catch (error) {
    if (error instanceof CircuitOpenError) return otherKeyOrPark(state, error);
    if (error instanceof BulkheadFullError) throw state.parked('model_busy', BUSY, limits.backoffBaseMs);
    throw error;
  } finally {
    giveBackRoom();
  }
  if (!('content' in end)) return nextAttempt(state, key, end, progress);
  state.keys.recordSuccess(key);
  const { webSearches: _searches, speed: _speed, geo: _geo, containerId, ...message } = end;
  // What was refused is not sent again.
  const isGone = containerId === null && state.isWithoutContainer;
  return {
    ...message,
    ...(containerId !== null || isGone ? { container: { id: containerId } } : {}),
    costMicros: state.costOf(end),
    attempts: state.attempts,
    providerRequestId: progress.providerRequestId,
  };
}

function countsAsOutage(end: WholeMessage | Failure, progress: RequestProgress): boolean {
  return !('content' in end) && isOutage(end, progress);
}

/** The circuit breaker of a key is open, so nothing was sent. Another key is used, where there is one. */
async function otherKeyOrPark(state: CallState, { retryAfterMs }: CircuitOpenError): Promise<NextAttempt> {
  const { waitMs } = await state.chooseKey();
  if (waitMs === 0) return { next: 'at_once' };
  throw state.parked('model_circuit_open', CIRCUIT_OPEN, Math.min(retryAfterMs, waitMs), state.outage);
}

async function waitBeforeRetry(
  state: CallState,
  { code, message, retryAfterMs: requestedMs }: Failure,
): Promise<void> {
  const { limits } = state.parts;
  const { signal } = state.turn;
  const waitMs = backoffMs(state.tries, requestedMs, limits);
  const now = performance.now();
  // Past the deadline there is nothing to wait for here: the turn is released, and ends by its deadline rather than
  // as a failure of the model.
  if (waitMs > limits.maxInlineWaitMs || waitMs >= state.deadline - now) {
    throw state.error(code, message, { retryAfterMs: waitMs });
  }
  if (waitMs >= state.stepEnd - now) throw state.error('model_step_timeout', STEP_TIMEOUT);
  try {
    await sleep(waitMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

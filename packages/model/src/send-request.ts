import { newId, SpendingPausedError } from '@turnpike/contract';
import type { GuardedCall } from '@turnpike/egress';
import { withoutValue } from '@turnpike/telemetry';
import type { WholeMessage } from './assemble-message.ts';
import type { CallState } from './call-state.ts';
import { classifyError, type Failure } from './classify-error.ts';
import type { ModelKey } from './key-ring.ts';
import { logFailure, logResponse } from './log-requests.ts';
import { safeRequestId } from './safe-message.ts';
import { streamMessage, type RequestProgress } from './stream-message.ts';

export const STEP_TIMEOUT = 'The step took longer than the agent allows.';
const BUDGET_SPENT = 'Too many model calls are being retried now.';

/**
 * One request, and how it ended. `onSent` is called once it has left. Throws a ModelError where it may not be sent, and
 * the signal's reason.
 */
export async function sendRequest(
  state: CallState,
  key: ModelKey,
  guarded: GuardedCall,
  progress: RequestProgress,
  onSent: () => void,
): Promise<WholeMessage | Failure> {
  const { limits, budget, responses, pacing, files } = state.parts;
  const { turn, call, request, built } = state;
  const { secret } = key;
  const hide = (text: string): string => (secret === null ? text : withoutValue(text, secret.reveal()));
  // Also the first request of this lease, where it is not the step's first. The budget is asked only now, so that a
  // request that the breaker rejects costs nothing of it. Another key is no retry: the one that failed is not used
  // for a while, so there are as many of these as there are keys, and no retry storm.
  const isRetry = state.attempts > 0 && !state.isFailover;
  if (state.wasInterrupted) await reserveAgain(state);
  if (isRetry) await takeFromBudget(state);
  const leftMs = state.stepEnd - performance.now();
  if (leftMs <= 0) throw state.error('model_step_timeout', STEP_TIMEOUT);
  turn.assertHeld();
  state.attempts += 1;
  if (state.isFailover) state.failovers += 1;
  progress.startedAt = performance.now();
  const meter = responses.open(turn.tenantId, request.agent.max_tokens * key.api.streamOverhead);
  const pace = pacing.open(turn.tenantId);
  try {
    const message = await streamMessage(
      key,
      built,
      {
        signal: turn.signal,
        tenantId: turn.tenantId,
        files,
        limitMs: Math.min(limits.totalTimeoutMs, leftMs),
        limitCode: leftMs < limits.totalTimeoutMs ? 'model_step_timeout' : 'model_timeout',
        // The first time the stream may have broken; from then on it is what the model writes.
        keepsBrokenCalls: state.attempts > 1 || built.followsBrokenCall,
        onPiece(piece) {
          meter.take(piece);
          return pace.next(piece.length);
        },
        onSent,
        onStart: () => guarded.reportSuccess(),
        onText(text) {
          turn.assertHeld();
          call.events.emit('text', text);
        },
      },
      progress,
    );
    progress.providerRequestId = safeRequestId(progress.providerRequestId, hide);
    budget.deposit(state.budgetKey, isRetry);
    logResponse(turn, state.fields, progress, message);
    return { ...message, model: hide(message.model) };
  } catch (error) {
    reportInterrupted(state, progress, hide);
    turn.signal.throwIfAborted();
    const classified = classifyError(error, { hide });
    if (classified === undefined) throw error;
    const requestId = classified.providerRequestId ?? progress.providerRequestId;
    const failure = { ...classified, providerRequestId: safeRequestId(requestId, hide) };
    logFailure(state.parts.report, turn, state.fields, progress, failure);
    return failure;
  } finally {
    pace.close();
    meter.close();
  }
}

/** Throws a ModelError that parks the turn, its attempts kept, where the next request must wait for its budget. */
async function reserveAgain(state: CallState): Promise<void> {
  try {
    await state.call.reserveAgain();
    state.wasInterrupted = false;
  } catch (error) {
    if (!(error instanceof SpendingPausedError)) throw error;
    throw state.error(error.code, error.message, { retryAfterMs: error.retryAfterMs });
  }
}

/**
 * Throws a ModelError that parks the turn where the retry budget is spent. No attempt is counted for it; and since
 * the budget also fills with time, a parked turn gets its retry.
 */
async function takeFromBudget(state: CallState): Promise<void> {
  const { budget, limits } = state.parts;
  const granted = await budget.take(state.budgetKey);
  state.turn.signal.throwIfAborted();
  if (!granted) throw state.parked('model_retry_budget_exhausted', BUDGET_SPENT, limits.budgetWaitMs);
}

/** A message that has begun is billed, though it has no end. */
function reportInterrupted(
  state: CallState,
  progress: RequestProgress,
  hide: (text: string) => string,
): void {
  const spent = progress.spent();
  if (spent === null) return;
  const { max_tokens: maxTokens } = state.request.agent;
  const usage = { ...spent.usage, output_tokens: Math.min(spent.usage.output_tokens, maxTokens) };
  state.wasInterrupted = true;
  state.call.events.emit('interrupted', {
    id: newId('step'),
    model: hide(spent.model),
    usage,
    costMicros: state.costOf({ ...spent, usage }),
    providerRequestId: safeRequestId(progress.providerRequestId, hide),
  });
}

import {
  BudgetExceededError,
  DeadlineError,
  DrainError,
  isFinal,
  LeaseLostError,
  mayRepeat,
  ModelError,
  RetryableError,
  SpendingPausedError,
  TerminalError,
  TurnCancelledError,
} from '@turnpike/contract';
import type { Message, Outcome, Release, TurnError } from '@turnpike/contract';
import { callModel } from './call-model.ts';
import { compactHistory } from './compact-history.ts';
import { endTurn } from './end-turn.ts';
import { nextMove } from './next-move.ts';
import { cancelled, failedWith, stoppedBy } from './outcome.ts';
import type { Model, ToolRunner, TurnLease } from './ports.ts';
import { commit, isAnswered, progressOf, type Progress } from './progress.ts';
import { recoverCall } from './recover-call.ts';
import { runTools } from './run-tools.ts';
import { inputAdded, turnEnded } from './turn-events.ts';

/**
 * Runs a turn from where its journal ends until it ends, or until it must be given back.
 * Resolves with the lease ended. Throws `LeaseLostError`, and errors that nobody foresaw: the
 * turn is then where its last commit left it, for the next worker.
 */
export async function runTurn(lease: TurnLease, parts: { model: Model; tools: ToolRunner }): Promise<void> {
  const progress = progressOf(lease.turn);
  try {
    let ended = false;
    while (!ended) ended = await advanceOnce(lease, progress, parts);
  } catch (error) {
    await stopTurn(lease, progress, error);
  }
}

/** Makes one move. Returns true once the lease has ended. */
async function advanceOnce(
  lease: TurnLease,
  progress: Progress,
  parts: { model: Model; tools: ToolRunner },
): Promise<boolean> {
  stopHere(lease, progress);
  const move = nextMove(progress, lease.turn.agent);
  switch (move.type) {
    case 'run_tools':
      return runTools(lease, progress, parts.tools);
    case 'take_inputs':
      await commit(lease, progress, { addPendingInputs: true, events: [inputAdded()] });
      return false;
    case 'compact':
      await compactHistory(lease, progress, parts.model, move.overflow);
      return false;
    case 'call_model':
      return callModel(lease, progress, parts).catch((error: unknown) => recoverCall(lease, progress, error));
    case 'finish': {
      const { outcome } = move;
      const { status } = await commit(lease, progress, { outcome, events: [turnEnded(outcome)] });
      return isFinal(status);
    }
    default:
      return move satisfies never;
  }
}

/**
 * Throws what the turn is to stop for. A drain waits for calls whose intent was committed just now and
 * that may not be repeated: left here, nobody would ever know that they never left.
 */
function stopHere(lease: TurnLease, progress: Progress): void {
  const owes = progress.openCalls.some((call) => call.ours && !isAnswered(call) && !mayRepeat(call.effect));
  if (lease.signal.aborted && !(owes && lease.signal.reason instanceof DrainError)) {
    throw lease.signal.reason;
  }
  if (lease.draining && !owes) throw new DrainError();
}

async function stopTurn(lease: TurnLease, progress: Progress, error: unknown): Promise<void> {
  if (error instanceof LeaseLostError) throw error;
  const { modelAttempts } = progress;
  if (error instanceof DrainError) {
    await giveBack(lease, progress, { delayMs: 0, modelAttempts, error: null });
  } else if (error instanceof TurnCancelledError) {
    await confirmCancel(lease, progress);
  } else if (error instanceof DeadlineError) {
    const unanswered = "The turn's time was over before an answer came.";
    await endTurn(lease, progress, { outcomeOf: (messages) => stoppedBy('deadline', messages), unanswered });
  } else if (error instanceof SpendingPausedError) {
    const { code, message, retryAfterMs: delayMs } = error;
    const wait: TurnError = { code, message, retry_status: 'retrying', request_id: null };
    await giveBack(lease, progress, { delayMs, modelAttempts, error: wait });
  } else if (error instanceof BudgetExceededError) {
    const { code, message } = error;
    const limit: TurnError = { code, message, retry_status: 'terminal', request_id: null };
    const outcomeOf = (messages: readonly Message[]): Outcome => stoppedBy('budget', messages, limit);
    await endTurn(lease, progress, { outcomeOf, unanswered: 'The budget was spent.' });
  } else if (error instanceof ModelError) {
    await stopForModel(lease, progress, error);
  } else if (error instanceof TerminalError) {
    const { code, message } = error;
    const failure: TurnError = { code, message, retry_status: 'terminal', request_id: null };
    await failTurn(lease, progress, failure);
  } else if (error instanceof RetryableError) {
    await waitElsewhere(lease, progress, error);
  } else {
    throw error;
  }
}

const USUAL_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 30_000;

/** Something of ours is away, such as whoever keeps the keys. Nothing is wrong with the turn, which holds no worker meanwhile. */
async function waitElsewhere(lease: TurnLease, progress: Progress, error: RetryableError): Promise<void> {
  const { code, message, retryAfterMs = USUAL_WAIT_MS } = error;
  await giveBack(lease, progress, {
    delayMs: Math.min(LONGEST_WAIT_MS, retryAfterMs) * (0.5 + Math.random() / 2),
    modelAttempts: progress.modelAttempts,
    error: { code, message, retry_status: 'retrying', request_id: null },
  });
}

/** A wait longer than a moment gives the worker's slot back; an end is an end. */
async function stopForModel(lease: TurnLease, progress: Progress, error: ModelError): Promise<void> {
  const { code, message, providerRequestId, attempts, retryAfterMs } = error;
  const failure = { code, message, request_id: providerRequestId, attempts };
  if (!error.terminal && retryAfterMs !== undefined) {
    await giveBack(lease, progress, {
      delayMs: retryAfterMs,
      modelAttempts: attempts,
      error: { ...failure, retry_status: 'retrying' },
      ...(error.outage === undefined ? {} : { outage: error.outage }),
    });
    return;
  }
  const retryStatus = error.terminal ? 'terminal' : 'exhausted';
  await failTurn(lease, progress, { ...failure, retry_status: retryStatus });
}

async function failTurn(lease: TurnLease, progress: Progress, failure: TurnError): Promise<void> {
  await endTurn(lease, progress, {
    outcomeOf: (messages) => failedWith(failure, messages),
    unanswered: 'The turn failed before an answer came.',
  });
}

/** A turn that was asked to cancel just then has nothing to come back for. */
async function giveBack(lease: TurnLease, progress: Progress, release: Release): Promise<void> {
  try {
    await lease.release(release);
  } catch (error) {
    if (!(error instanceof TurnCancelledError)) throw error;
    await confirmCancel(lease, progress);
  }
}

async function confirmCancel(lease: TurnLease, progress: Progress): Promise<void> {
  const unanswered = 'The turn was cancelled before an answer came.';
  await endTurn(lease, progress, { outcomeOf: cancelled, unanswered });
}

import {
  BudgetExceededError,
  CallDeferredError,
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
import { checkOutput } from './check-output.ts';
import { commit } from './commit.ts';
import { compactHistory } from './compact-history.ts';
import { endTurn } from './end-turn.ts';
import { measureOverflow } from './measure-overflow.ts';
import { nextMove } from './next-move.ts';
import { cancelled, failedWith, stoppedBy } from './outcome.ts';
import type { TurnLease } from './ports.ts';
import { hasResult } from './progress.ts';
import { recoverCall } from './recover-call.ts';
import { runModelStep } from './run-model-step.ts';
import { runTools } from './run-tools.ts';
import { inputAdded, toolsChanged, turnEnded } from './turn-events.ts';
import { startRun, type TurnParts, type TurnRun } from './turn-run.ts';

/**
 * Runs a turn from where its journal ends until it ends, or until it must be given back to the queue.
 * Resolves with the lease ended. Throws `LeaseLostError`, and unexpected errors: the turn is then as its last
 * commit left it, for the next worker.
 */
export async function runTurn(lease: TurnLease, parts: TurnParts): Promise<void> {
  const run = startRun(lease, parts);
  try {
    throwIfStopped(run);
    const changes = await run.tools.open(lease.turn, run.context);
    if (changes.length > 0) await commit(run, { events: changes.map(toolsChanged) });
    let ended = false;
    while (!ended) ended = await advanceOnce(run);
  } catch (error) {
    await stopTurn(run, error);
  }
}

/** Makes one move. Returns true once the lease has ended. */
async function advanceOnce(run: TurnRun): Promise<boolean> {
  throwIfStopped(run);
  const move = nextMove(run.progress, run.lease.turn.agent);
  switch (move.type) {
    case 'run_tools':
      return runTools(run);
    case 'add_inputs':
      await commit(run, { addPendingInputs: true, events: [inputAdded()] });
      return false;
    case 'call_model': {
      const overflow = await measureOverflow(run);
      if (overflow === null) return runModelStep(run).catch((error: unknown) => recoverCall(run, error));
      await compactHistory(run, overflow);
      return false;
    }
    case 'finish': {
      const { messages, modelCallCount: modelCalls } = run.progress;
      const checked = await checkOutput(run, move.outcome, { messages, modelCalls });
      if ('correction' in checked) {
        await commit(run, { messages: [checked.correction], events: [] });
        return false;
      }
      const { outcome } = checked;
      const { status } = await commit(run, { outcome, events: [turnEnded(outcome)] });
      return isFinal(status);
    }
    default:
      return move satisfies never;
  }
}

/**
 * Throws the reason for which the turn is to stop. A drain waits for calls whose intent was just committed and that
 * may not be repeated: if they were left to the next worker, it could not know that they were never sent.
 */
function throwIfStopped({ lease, progress }: TurnRun): void {
  const mustSend = progress.openCalls.some(
    (call) => call.startedHere && !hasResult(call) && !mayRepeat(call.effect),
  );
  if (lease.signal.aborted && !(mustSend && lease.signal.reason instanceof DrainError)) {
    throw lease.signal.reason;
  }
  if (lease.draining && !mustSend) throw new DrainError();
}

async function stopTurn(run: TurnRun, error: unknown): Promise<void> {
  if (error instanceof LeaseLostError) throw error;
  const { modelAttempts } = run.progress;
  if (error instanceof DrainError) {
    await releaseTurn(run, { delayMs: 0, modelAttempts, error: null });
  } else if (error instanceof TurnCancelledError) {
    await confirmCancel(run);
  } else if (error instanceof DeadlineError) {
    const outcomeOf = (messages: readonly Message[]): Outcome => stoppedBy('deadline', messages);
    await endTurn(run, {
      outcomeOf,
      withoutResult: "The turn's deadline passed before this call had a result.",
    });
  } else if (error instanceof SpendingPausedError) {
    const { code, message, retryAfterMs: delayMs } = error;
    const wait: TurnError = { code, message, retry_status: 'retrying', request_id: null };
    await releaseTurn(run, { delayMs, modelAttempts, error: wait });
  } else if (error instanceof BudgetExceededError) {
    const { code, message } = error;
    const limit: TurnError = { code, message, retry_status: 'terminal', request_id: null };
    const outcomeOf = (messages: readonly Message[]): Outcome => stoppedBy('budget', messages, limit);
    await endTurn(run, { outcomeOf, withoutResult: 'The budget was used up before this call had a result.' });
  } else if (error instanceof ModelError) {
    await stopForModel(run, error);
  } else if (error instanceof TerminalError) {
    const { code, message } = error;
    await failTurn(run, { code, message, retry_status: 'terminal', request_id: null });
  } else if (error instanceof RetryableError) {
    await retryLater(run, error);
  } else {
    throw error;
  }
}

const DEFAULT_WAIT_MS = 5_000;
const MAX_WAIT_MS = 30_000;

/** A service of ours is unavailable, such as the key provider. The turn holds no worker until it is tried again. */
async function retryLater(run: TurnRun, error: RetryableError): Promise<void> {
  const { code, message, retryAfterMs = DEFAULT_WAIT_MS } = error;
  const waitMs = error instanceof CallDeferredError ? retryAfterMs : Math.min(MAX_WAIT_MS, retryAfterMs);
  await releaseTurn(run, {
    delayMs: waitMs * (0.5 + Math.random() / 2),
    modelAttempts: run.progress.modelAttempts,
    error: { code, message, retry_status: 'retrying', request_id: null },
  });
}

/** A turn that must wait is released, so that it holds no slot; one that cannot go on fails. */
async function stopForModel(run: TurnRun, error: ModelError): Promise<void> {
  const { code, message, providerRequestId, attempts, retryAfterMs } = error;
  const failure = { code, message, request_id: providerRequestId, attempts };
  if (!error.terminal && retryAfterMs !== undefined) {
    await releaseTurn(run, {
      delayMs: retryAfterMs,
      modelAttempts: attempts,
      error: { ...failure, retry_status: 'retrying' },
      ...(error.outage === undefined ? {} : { outage: error.outage }),
    });
    return;
  }
  const retryStatus = error.terminal ? 'terminal' : 'exhausted';
  await failTurn(run, { ...failure, retry_status: retryStatus });
}

async function failTurn(run: TurnRun, failure: TurnError): Promise<void> {
  await endTurn(run, {
    outcomeOf: (messages) => failedWith(failure, messages),
    withoutResult: 'The turn failed before this call had a result.',
  });
}

/** Gives the turn back to the queue, or ends it where it was asked to cancel meanwhile. */
async function releaseTurn(run: TurnRun, release: Release): Promise<void> {
  try {
    await run.lease.release(release);
  } catch (error) {
    if (!(error instanceof TurnCancelledError)) throw error;
    await confirmCancel(run);
  }
}

async function confirmCancel(run: TurnRun): Promise<void> {
  const withoutResult = 'The turn was cancelled before this call had a result.';
  await endTurn(run, { outcomeOf: cancelled, withoutResult });
}

import {
  DeadlineError,
  DrainError,
  LeaseLostError,
  ModelError,
  TerminalError,
  TurnCancelledError,
} from '@turnpike/contract';
import type { Outcome, TurnError } from '@turnpike/contract';
import { callModel } from './call-model.ts';
import { nextMove } from './next-move.ts';
import { cancelled, failedWith, stoppedBy } from './outcome.ts';
import type { Model, ToolRunner, TurnLease } from './ports.ts';
import { progressOf, type Progress } from './progress.ts';
import { closeRound, runTools } from './run-tools.ts';
import { stepCompleted, toolCompleted, turnEnded } from './turn-events.ts';

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

async function advanceOnce(
  lease: TurnLease,
  progress: Progress,
  parts: { model: Model; tools: ToolRunner },
): Promise<boolean> {
  lease.signal.throwIfAborted();
  if (lease.draining) throw new DrainError();
  const move = nextMove(progress, lease.turn.agent);
  switch (move.type) {
    case 'call_model':
      return callModel(lease, progress, parts);
    case 'run_tools':
      await runTools(lease, progress, parts.tools);
      return false;
    case 'finish':
      await lease.advance({ outcome: move.outcome, events: [turnEnded(move.outcome)] });
      return true;
    default:
      return move satisfies never;
  }
}

async function stopTurn(lease: TurnLease, progress: Progress, error: unknown): Promise<void> {
  if (error instanceof LeaseLostError) throw error;
  const { modelAttempts, messages } = progress;
  if (error instanceof DrainError) {
    await lease.release({ delayMs: 0, modelAttempts, error: null });
  } else if (error instanceof TurnCancelledError) {
    await endTurn(lease, progress, cancelled(messages), 'The turn was cancelled before an answer came.');
  } else if (error instanceof DeadlineError) {
    const outcome = stoppedBy('deadline', messages);
    await endTurn(lease, progress, outcome, "The turn's time was over before an answer came.");
  } else if (error instanceof ModelError) {
    await stopForModel(lease, progress, error);
  } else if (error instanceof TerminalError) {
    const { code, message } = error;
    const failure: TurnError = { code, message, retry_status: 'terminal', request_id: null };
    await endTurn(lease, progress, failedWith(failure, messages), 'The turn failed before an answer came.');
  } else {
    throw error;
  }
}

/** A wait longer than a moment gives the worker's slot back; an end is an end. */
async function stopForModel(lease: TurnLease, progress: Progress, error: ModelError): Promise<void> {
  const { code, message, providerRequestId, attempts, retryAfterMs } = error;
  const failure = { code, message, request_id: providerRequestId };
  if (!error.terminal && retryAfterMs !== undefined) {
    await lease.release({
      delayMs: retryAfterMs,
      modelAttempts: attempts,
      error: { ...failure, retry_status: 'retrying' },
    });
    return;
  }
  const retryStatus = error.terminal ? 'terminal' : 'exhausted';
  const outcome = failedWith({ ...failure, retry_status: retryStatus }, progress.messages);
  await endTurn(lease, progress, outcome, 'The turn failed before an answer came.');
}

/** Ends the turn; a round of calls that was under way is closed with it, so the conversation stays valid. */
async function endTurn(
  lease: TurnLease,
  progress: Progress,
  outcome: Outcome,
  unanswered: string,
): Promise<void> {
  if (progress.openCalls.length === 0) {
    await lease.advance({ outcome, events: [turnEnded(outcome)] });
    return;
  }
  const { step, messages, receipts } = closeRound(progress, 0, unanswered);
  await lease.advance({
    step,
    messages,
    receipts,
    outcome,
    events: [...receipts.map(toolCompleted), stepCompleted(progress.stepCount, step), turnEnded(outcome)],
  });
}

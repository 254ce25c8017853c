import { ModelError, newId } from '@turnpike/contract';
import type {
  CompletedStep,
  InterruptedCall,
  ModelResponse,
  ModelRequest,
  StepType,
} from '@turnpike/contract';
import type { Model, TurnLease } from './ports.ts';
import { commit, type Progress } from './progress.ts';
import { TextPreview } from './text-preview.ts';
import { stepRestarted } from './turn-events.ts';

/**
 * One call of the model, and the step that it makes; nothing of it is committed yet. A stream that is
 * tried again is told to the clients, since they may have been shown a part of it; what they were shown of an
 * answer that does not come to its end is noted in `progress.cut`.
 * Throws what the model, the lease and the signal throw.
 */
export async function askModel(
  lease: TurnLease,
  progress: Progress,
  model: Model,
  type: StepType,
  request: ModelRequest,
): Promise<{ answer: ModelResponse; step: CompletedStep }> {
  if (progress.isBudgeted) await lease.reserve(model.mostCost(request));
  lease.assertHeld();
  const began = performance.now();
  let restarted: Promise<unknown> = Promise.resolve();
  // What the model notes down for itself is no part of the answer.
  const preview = type === 'model_call' ? new TextPreview(lease, progress.stepCount) : null;
  let text = '';
  let cost: InterruptedCall | null = null;
  progress.cut = null;
  const noteCut = (error: unknown): void => {
    if (preview === null || text.trim() === '') return;
    const attempts = error instanceof ModelError ? error.attempts : progress.modelAttempts + 1;
    progress.cut = { text, cost, attempts: Math.max(1, attempts), durationMs: performance.now() - began };
  };
  const call = model.call(request, {
    signal: lease.signal,
    assertHeld: () => lease.assertHeld(),
    remainingMs: lease.remainingMs(),
    stepTimeoutMs: lease.turn.agent.step_timeout_ms,
    previousAttempts: progress.modelAttempts,
    onText(piece) {
      preview?.add(piece);
      text += piece;
    },
    onRestart() {
      text = '';
      cost = null;
      restarted = restarted.then(() =>
        commit(lease, progress, { events: [stepRestarted(progress.stepCount)] }),
      );
      // Where it fails, the lease is lost, and so the call ends with that.
      restarted.catch(() => undefined);
      preview?.restart(restarted).catch(() => undefined);
    },
    onInterrupted(cut) {
      cost = cut;
      return lease.recordUsage(cut);
    },
    async reserveAgain() {
      if (progress.isBudgeted) await lease.reserve(model.mostCost(request));
    },
  });
  const answer = await call.catch((error: unknown) => {
    noteCut(error);
    throw error;
  });
  const step: CompletedStep = {
    id: newId('step'),
    type,
    model: answer.model,
    stopReason: answer.stopReason,
    usage: answer.usage,
    costMicros: answer.costMicros,
    attempts: answer.attempts,
    providerRequestId: answer.providerRequestId,
    durationMs: performance.now() - began,
  };
  try {
    await restarted;
  } catch (error) {
    await lease.recordUsage({ ...step, model: answer.model });
    throw error;
  }
  return { answer, step };
}

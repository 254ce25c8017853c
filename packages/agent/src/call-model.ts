import { ModelError, newId, TypedEmitter } from '@turnpike/contract';
import type {
  CompletedStep,
  InterruptedCall,
  ModelCallEvents,
  ModelRequest,
  ModelResponse,
  StepType,
} from '@turnpike/contract';
import { commit } from './commit.ts';
import { TextPreview } from './text-preview.ts';
import { stepRestarted } from './turn-events.ts';
import type { TurnRun } from './turn-run.ts';

/**
 * One model call, and the step that it makes; the step is not committed yet. Clients are told when a stream is
 * restarted, since they may have been shown a part of it. A call of the tier `batch` is one only where its batch did not
 * make it. The text of a response that was interrupted is kept in
 * `progress.partial`. Throws what the model, the lease and the signal throw.
 */
export async function callModel(
  run: TurnRun,
  type: StepType,
  given: ModelRequest,
): Promise<{ response: ModelResponse; step: CompletedStep }> {
  const { lease, model, progress, context } = run;
  const reserveFor = async (request: ModelRequest): Promise<void> => {
    if (progress.isBudgeted) await lease.reserve(model.mostCost(request));
  };
  const batched = await model.takeBatched?.({
    turn: context,
    request: given,
    stepIndex: progress.stepCount,
    stepTimeoutMs: lease.turn.agent.step_timeout_ms,
    reserve: () => reserveFor(given),
  });
  if (batched != null) return { response: batched, step: { ...stepOf(type, batched, 0), isBatched: true } };
  const request = madeByItself(given);
  const reserve = (): Promise<void> => reserveFor(request);
  await reserve();
  lease.assertHeld();
  const began = performance.now();
  const incoming = new IncomingResponse(run, type);
  progress.partial = null;
  const call = model.call({
    turn: context,
    request,
    stepTimeoutMs: lease.turn.agent.step_timeout_ms,
    previousAttempts: progress.modelAttempts,
    events: incoming.events,
    async reserveAgain() {
      // What was spent must be in the ledger before more is reserved.
      await incoming.usageRecorded;
      await reserve();
    },
  });
  const response = await call.catch(async (error: unknown) => {
    await incoming.usageRecorded;
    incoming.keepPartial(error, performance.now() - began);
    throw error;
  });
  const step = stepOf(type, response, performance.now() - began);
  await incoming.usageRecorded;
  await incoming.restartCommitted.catch(async (error: unknown) => {
    await lease.recordUsage({ ...step, model: response.model });
    throw error;
  });
  return { response, step };
}

/** The request without the tier `batch`: at the whole price. */
function madeByItself(request: ModelRequest): ModelRequest {
  const { service_tier: tier, ...agent } = request.agent;
  return tier === 'batch' ? { ...request, agent } : request;
}

/** What has come of a response before its end. */
class IncomingResponse {
  readonly events: TypedEmitter<ModelCallEvents>;
  /** Resolves when the usage of the requests that were interrupted so far is recorded. Never rejects. */
  usageRecorded: Promise<void> = Promise.resolve();
  /** Rejects where a restart could not be committed: then the lease is lost, which ends the call too. */
  restartCommitted: Promise<unknown> = Promise.resolve();
  readonly #run: TurnRun;
  /** Null for notes that the model writes for itself: no client is shown them. */
  readonly #preview: TextPreview | null;
  #text = '';
  #interrupted: InterruptedCall | null = null;

  constructor(run: TurnRun, type: StepType) {
    this.#run = run;
    const { lease, progress, context } = run;
    this.#preview = type === 'model_call' ? new TextPreview(lease, progress.stepCount) : null;
    this.events = new TypedEmitter<ModelCallEvents>((error) =>
      context.logger.error('A listener of model call events failed.', { error }),
    )
      .on('text', (piece) => this.#add(piece))
      .on('restarted', () => this.#restart())
      .on('interrupted', (call) => this.#recordUsage(call));
  }

  /** Keeps the text so far, for the case that the turn ends with it. */
  keepPartial(error: unknown, durationMs: number): void {
    if (this.#preview === null || this.#text.trim() === '') return;
    // More than `max_tokens` allow is nothing that a model wrote, and later turns would have to read all of it.
    if (error instanceof ModelError && error.code === 'model_response_too_large') return;
    const { progress } = this.#run;
    const attempts = error instanceof ModelError ? error.attempts : progress.modelAttempts + 1;
    const partial = { text: this.#text, usage: this.#interrupted, durationMs };
    progress.partial = { ...partial, attempts: Math.max(1, attempts) };
  }

  #add(piece: string): void {
    this.#text += piece;
    this.#preview?.add(piece);
  }

  #restart(): void {
    this.#text = '';
    this.#interrupted = null;
    const events = [stepRestarted(this.#run.progress.stepCount)];
    this.restartCommitted = this.restartCommitted.then(() => commit(this.#run, { events }));
    this.restartCommitted.catch(() => undefined);
    this.#preview?.restart(this.restartCommitted).catch(() => undefined);
  }

  #recordUsage(call: InterruptedCall): void {
    this.#interrupted = call;
    const recorded = this.#run.lease.recordUsage(call);
    this.usageRecorded = this.usageRecorded.then(() => recorded);
  }
}

function stepOf(type: StepType, response: ModelResponse, durationMs: number): CompletedStep {
  const { model, stopReason, usage, costMicros, attempts, providerRequestId } = response;
  return {
    id: newId('step'),
    type,
    model,
    stopReason,
    usage,
    costMicros,
    attempts,
    providerRequestId,
    durationMs,
  };
}

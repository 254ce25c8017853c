import type { Model } from '@turnpike/agent';
import { LeaseLostError, ModelError, type BatchableCall, type ModelResponse } from '@turnpike/contract';
import type { GuardedModel } from '@turnpike/model';
import { addBatchedCall, findBatchedCall, leaveBatch, type Database } from '@turnpike/store';

/** A call whose batch has not ended so long before the deadline of its turn is made by itself; a long step needs less. */
const MOST_MARGIN_MS = 600_000;
const WAITS = 'The model call waits for its batch.';

/** The same model, whose calls of the tier `batch` go through batches. */
export function withBatches(model: GuardedModel, parts: { database: Database; windowMs: number }): Model {
  return {
    call: (call) => model.call(call),
    mostCost: (request) => model.mostCost(request),
    countTokens: (count) => model.countTokens(count),
    takeBatched: (call) => takeBatched(call, { ...parts, model }),
  };
}

/**
 * The response of a call, once its batch has ended; until then its turn waits without a worker (decision 20).
 * Throws as `Model.takeBatched`.
 */
async function takeBatched(
  call: BatchableCall,
  parts: { database: Database; model: GuardedModel; windowMs: number },
): Promise<ModelResponse | null> {
  const { turn, request, stepIndex } = call;
  const { database, model } = parts;
  if (request.agent.service_tier !== 'batch') return null;
  const find = () => findBatchedCall(database.pool, turn.turnId, stepIndex);
  let found = await find();
  if (found === null && !(await addCall(call, parts))) return null;
  found ??= await find();
  if (found === null) throw new LeaseLostError(turn.turnId);
  if (found.abandoned) return null;
  const leftMs = waitMs(call);
  if (found.status !== 'ended' && leftMs > 0) {
    turn.logger.debug('The turn waits for a batch.', { call: found.id, status: found.status });
    const facts = { terminal: false, attempts: 0, retryAfterMs: leftMs, providerRequestId: null };
    throw new ModelError('model_batch', WAITS, facts);
  }
  if (found.status !== 'ended' && (await leaveBatch(database.pool, found.id)) === 'ended')
    found = await find();
  if (found?.status !== 'ended' || found.result === null) return null;
  return model.batches.response(found.result, request.agent);
}

/** Adds the call to those that wait for a batch. False where it is to be made by itself. */
async function addCall(
  call: BatchableCall,
  { database, model, windowMs }: { database: Database; model: GuardedModel; windowMs: number },
): Promise<boolean> {
  const { turn, request, stepIndex } = call;
  if (waitMs(call) <= windowMs) return false;
  const draft = await model.batches.draft(call);
  if (draft === null) return false;
  // What is held for the turn until its lease ends; from then on, its row holds it.
  await call.reserve();
  turn.assertHeld();
  const { model: name, cache_ttl, inference_geo } = request.agent;
  const added = {
    ...draft,
    stepIndex,
    priced: { model: name, cache_ttl, inference_geo },
    mostMicros: model.mostCost(request).micros,
    windowMs,
  };
  // Whoever looks for it next finds out whether the lease held.
  await addBatchedCall(database.pool, turn, added);
  return true;
}

/** How long the turn may wait for the batch. */
function waitMs({ turn, request, stepTimeoutMs }: BatchableCall): number {
  const fallsBack = request.agent.batch_fallback !== false;
  return turn.remainingMs() - (fallsBack ? Math.min(stepTimeoutMs, MOST_MARGIN_MS) : 0);
}

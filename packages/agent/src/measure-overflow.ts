import { estimateSize, findOverflow, isUncertain, type Overflow } from './context-window.ts';
import { requestOf } from './run-model-step.ts';
import type { TurnRun } from './turn-run.ts';

/**
 * What must be summarized before the model's next call, null where the session fits its window. Where the estimate is
 * too near to the window, the model's API is asked once. Nothing of it is kept: another worker may come to another
 * result, and a session that does not fit after all is refused by the API and summarized then.
 * Throws `LeaseLostError` and the signal's reason.
 */
export async function measureOverflow(run: TurnRun): Promise<Overflow | null> {
  const { model, context, progress } = run;
  const { agent } = run.lease.turn;
  // Nothing is older than this turn: there is nothing to measure.
  if (progress.history.length === 0) return null;
  const estimate = estimateSize(progress);
  const counted =
    model.countTokens !== undefined && isUncertain(estimate, progress, agent)
      ? await model.countTokens({ turn: context, request: requestOf(run) })
      : null;
  return findOverflow(progress, agent, counted ?? estimate);
}

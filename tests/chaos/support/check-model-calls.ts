import type { Call, Stats } from '@turnpike/model-sim';
import type { StoredTurn, Truth } from './read-truth.ts';
import type { PlannedTurn } from './workload.ts';

/** Postgres and the simulator read the same clock, and each of them rounds it in its own way. */
const ROUNDING_MS = 5;

export interface ModelCallFacts {
  truth: Truth;
  planned: readonly PlannedTurn[];
  calls: readonly Call[];
  stats: Stats;
  /** Names of workers that were frozen for a while. */
  frozen: ReadonlySet<string>;
}

/**
 * Every conversation was one that the API takes, and no model call that is in the journal was made
 * again. What a worker was told and could not write down any more has to be asked again: once for
 * each lease that ended before the turn did, and never where none did.
 */
export function checkModelCalls({ truth, planned, calls, stats, frozen }: ModelCallFacts): string[] {
  const markers = new Map(planned.map((turn) => [turn.id, turn.marker]));
  const violations = truth.turns.flatMap((turn) => {
    const own = calls.filter((call) => call.turn === markers.get(turn.id));
    return checkTurn(turn, own, frozen).map((violation) => `${turn.id}: ${violation}`);
  });
  if (stats.rejected > 0) violations.push(`the API refused ${stats.rejected} conversations`);
  return violations;
}

function checkTurn(turn: StoredTurn, calls: readonly Call[], frozen: ReadonlySet<string>): string[] {
  const modelCalls = turn.steps.filter((step) => step.type === 'model_call');
  const violations: string[] = [];
  let repeated = 0;
  for (const [number, step] of modelCalls.entries()) {
    const own = calls.filter((call) => call.step === number);
    const late = own.filter(
      (call) =>
        Date.parse(call.at) > step.completedAt + ROUNDING_MS &&
        // One that was frozen between its last look at its lease and the send cannot know better.
        !frozen.has(call.api_key_last4 ?? ''),
    );
    if (late.length > 0) violations.push(`step ${step.index} is in the journal, and was asked for again`);
    if (!own.some((call) => call.request_id === step.providerRequestId)) {
      violations.push(`step ${step.index} is in the journal without a model call for it`);
    }
    repeated += Math.max(0, own.filter((call) => call.outcome === 'completed').length - 1);
  }
  const lostLeases = Math.max(0, turn.epoch - 1);
  if (repeated > lostLeases) {
    violations.push(
      `${repeated} model calls were finished and made again, and ${lostLeases} leases were lost`,
    );
  }
  return violations;
}

import type { TurnStatus } from '@turnpike/contract';
import type { ChaosCluster } from './chaos-cluster.ts';
import { checkEffects } from './check-effects.ts';
import { checkJournal } from './check-journal.ts';
import { checkModelCalls } from './check-model-calls.ts';
import { readTruth, type Truth } from './read-truth.ts';
import { answerTo, type PlannedTurn } from './workload.ts';

/** What must hold and does not; one line each. */
class BrokenPromiseError extends Error {
  constructor(violations: readonly string[]) {
    super(`${violations.length} promises are broken:\n${violations.slice(0, 40).join('\n')}`);
  }
}

/**
 * The promises that hold after any fault, read straight from Postgres, from the simulator and from
 * the tool server once every turn has ended. Throws `BrokenPromiseError`.
 */
export async function checkTruth(
  chaos: ChaosCluster,
  planned: readonly PlannedTurn[],
  statuses: readonly TurnStatus[] = ['completed'],
): Promise<Truth> {
  const truth = await readTruth(chaos);
  const { control } = chaos.cluster;
  const [calls, stats] = await Promise.all([control.calls(), control.stats()]);
  const violations = [
    ...checkAllThere(truth, planned, statuses),
    ...checkOrder(truth),
    ...checkNothingHeld(truth),
    ...truth.turns.flatMap(checkJournal),
    ...checkModelCalls({ truth, planned, calls, stats, frozen: chaos.frozen }),
    ...checkEffects(truth, planned, chaos.effects),
  ];
  if (violations.length > 0) throw new BrokenPromiseError(violations);
  return truth;
}

function checkAllThere(
  { turns }: Truth,
  planned: readonly PlannedTurn[],
  statuses: readonly TurnStatus[],
): string[] {
  const stored = new Map(turns.map((turn) => [turn.id, turn]));
  const violations = planned.flatMap(({ id, marker, plan }) => {
    const turn = stored.get(id);
    if (turn === undefined) return [`${id} was accepted and is not there`];
    if (!statuses.includes(turn.status)) return [`${id} is ${turn.status}`];
    if (turn.status !== 'completed') return [];
    const text = turn.output?.map((block) => block.text).join('');
    const called = turn.toolCalls.map((call) => call.name);
    return [
      ...(text === answerTo(marker) ? [] : [`${id} answers ${JSON.stringify(text)}`]),
      ...(called.join() === plan.flat().join()
        ? []
        : [`${id} was to call ${plan.flat().join()} and called ${called.join()}`]),
      ...(turn.stepCount === 2 * plan.length + 1 ? [] : [`${id} has ${turn.stepCount} steps`]),
    ];
  });
  if (turns.length !== planned.length) {
    violations.push(`${planned.length} turns were submitted, and ${turns.length} are there`);
  }
  return violations;
}

/** A turn begins when the one before it in its session has ended, and not sooner. */
function checkOrder({ turns }: Truth): string[] {
  return turns.flatMap((turn, index) => {
    const before = turns[index - 1];
    if (before === undefined || before.sessionId !== turn.sessionId || turn.startedAt === null) return [];
    const isInOrder = before.finishedAt !== null && turn.startedAt >= before.finishedAt;
    return isInOrder ? [] : [`${turn.id} began before ${before.id} had ended`];
  });
}

function checkNothingHeld({ turns, openTurns }: Truth): string[] {
  return [
    ...turns.filter((turn) => turn.isLeased).map((turn) => `${turn.id} is still leased`),
    ...turns.filter((turn) => turn.isDispatched).map((turn) => `${turn.id} still holds a slot`),
    ...(openTurns === 0 ? [] : [`${openTurns} turns are counted as open`]),
  ];
}

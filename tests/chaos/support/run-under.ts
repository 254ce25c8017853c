import { expect } from '@jest/globals';
import type { ChaosCluster } from './chaos-cluster.ts';
import type { FaultInjector } from './fault-injector.ts';
import { untilAllEnded } from './until-ended.ts';
import { submitTurns, type PlannedTurn } from './workload.ts';

const FURTHER_TURNS = 8;

/**
 * Submits so many turns, and further ones until there were so many faults: on a fast machine they might
 * else be through before anything was struck. Returns them, ended.
 */
export async function runUnder(
  chaos: ChaosCluster,
  faultInjector: FaultInjector,
  least: { turns: number; faults: number },
): Promise<PlannedTurn[]> {
  const turns = await submitTurns(chaos, least.turns);
  await untilAllEnded(chaos);
  while (faultInjector.count < least.faults) {
    faultInjector.check();
    turns.push(...(await submitTurns(chaos, FURTHER_TURNS)));
    await untilAllEnded(chaos);
  }
  await faultInjector.stop();
  await chaos.untilReplaced();
  expect(faultInjector.count).toBeGreaterThanOrEqual(least.faults);
  process.stdout.write(`[chaos] ${turns.length} turns, ${faultInjector.count} faults\n`);
  return turns;
}

import { expect } from '@jest/globals';
import type { ChaosCluster } from './chaos-cluster.ts';
import type { Mayhem } from './mayhem.ts';
import { untilAllEnded } from './until-ended.ts';
import { submitTurns, type PlannedTurn } from './workload.ts';

const FURTHER_TURNS = 8;

/**
 * Submits so many turns, and further ones until there were so many blows: on a fast machine they might
 * else be through before anything was struck. Returns them, ended.
 */
export async function runUnder(
  chaos: ChaosCluster,
  mayhem: Mayhem,
  least: { turns: number; blows: number },
): Promise<PlannedTurn[]> {
  const turns = await submitTurns(chaos, least.turns);
  await untilAllEnded(chaos);
  while (mayhem.count < least.blows) {
    turns.push(...(await submitTurns(chaos, FURTHER_TURNS)));
    await untilAllEnded(chaos);
  }
  await mayhem.stop();
  await chaos.untilReplaced();
  expect(mayhem.count).toBeGreaterThanOrEqual(least.blows);
  process.stdout.write(`[chaos] ${turns.length} turns, ${mayhem.count} blows\n`);
  return turns;
}

import { afterEach, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { byLength, testOfLongForm } from '../support/test-length.ts';
import { CASE_LIMIT_MS, WORKERS } from './support/chaos-length.ts';
import { brokenBuild, ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { killWorker, FaultInjector } from './support/fault-injector.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurns } from './support/workload.ts';

const LEAST = byLength({ short: { turns: 16, faults: 2 }, long: { turns: 500, faults: 30 } });

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

/** The worst moment: a call that may be sent only once was sent, and has no response yet. */
async function killAllInTheMidst(): Promise<void> {
  await untilTrue('a call is sent', () => chaos.effects.open('once').length > 0);
  await Promise.all([...chaos.workers].map((worker) => chaos.killWorker(worker)));
}

test(
  'workers are killed all the time: every turn completes, in order, and nothing that is finished is done again',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: WORKERS });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 200;
    const first = await submitTurns(chaos, 8);
    await killAllInTheMidst();
    for (let count = 0; count < WORKERS; count++) chaos.replaceWorker();
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: killWorker });
    const turns = await runUnder(chaos, faultInjector, LEAST);
    const truth = await checkTruth(chaos, [...first, ...turns]);
    const outcomes = truth.turns.flatMap((turn) => turn.toolCalls.map((call) => call.status));
    expect(outcomes).toContain('unknown');
  },
  CASE_LIMIT_MS,
);

testOfLongForm(
  'a build that does not look at what was sent already is caught when its workers are killed',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({ workers: 1, worker: brokenBuild('receipts-off') });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 200;
    const turns = await submitTurns(chaos, 8);
    await killAllInTheMidst();
    await chaos.startWorker();
    await untilAllEnded(chaos);
    await expect(checkTruth(chaos, turns)).rejects.toThrow(/once call .* was sent \d times/);
  },
  CASE_LIMIT_MS,
);

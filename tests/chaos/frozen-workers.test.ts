import { afterEach, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS, WORKERS } from './support/chaos-length.ts';
import { brokenBuild, ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { FaultInjector } from './support/fault-injector.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurn, submitTurns, type Plan } from './support/workload.ts';
import { freezeBeyondLeases, freezeWorker } from './support/freeze-worker.ts';

const LEAST = byLength({ short: { turns: 16, faults: 2 }, long: { turns: 500, faults: 20 } });

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

test(
  'workers are frozen beyond their leases all the time: as zombies they write nothing, send nothing, and say so',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: WORKERS });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 200;
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: freezeWorker });
    const turns = await runUnder(chaos, faultInjector, LEAST);
    await checkTruth(chaos, turns);
  },
  CASE_LIMIT_MS,
);

test.each([
  ['once', 0],
  ['reconcile', 1],
] as const)(
  'a worker that is frozen just when it has connected to a tool (%s) sends nothing when it wakes up',
  async (effect, sent) => {
    startChance();
    chaos = await ChaosCluster.start({ workers: 0 });
    const plan: Plan = [[effect]];
    await chaos.cluster.control.setScript(scriptOfPlans({}, [plan]));
    const frozen = await chaos.startWorker({
      environment: { CHAOS_FREEZE_PORT: new URL(chaos.effects.urls[effect]).port },
      preload: 'freeze.mjs',
    });
    const turn = await submitTurn(chaos, 'frozen', plan);
    const says = (text: string): boolean => frozen.program.lines.some((line) => line.includes(text));
    await untilTrue('it is frozen', () => says('[frozen]'));
    await chaos.startWorker();
    await untilAllEnded(chaos);
    chaos.thawWorker(frozen);
    await untilTrue('it says that the lease is lost', () => says('The lease was lost'));
    // What it sent before has arrived by then.
    await chaos.effects.untilArrived(effect);
    expect(chaos.effects.arrivals).toHaveLength(sent);
    await checkTruth(chaos, [turn]);
  },
  CASE_LIMIT_MS,
);

const BROKEN_BUILDS = [
  ['a build without the fence', 'fence-off', /its steps are|sent again after its receipt/],
  ['a build that does not look at what was sent already', 'receipts-off', /once call .* was sent \d times/],
] as const;

test.each(byLength({ short: BROKEN_BUILDS.slice(0, 1), long: BROKEN_BUILDS.slice() }))(
  '%s is caught when a worker wakes up while another one is at work on its turns',
  async (_, build, violation) => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: 1, worker: brokenBuild(build) });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 200;
    const turns = await submitTurns(chaos, 8);
    await untilTrue('a call is sent', () => chaos.effects.open('once').length > 0);
    const [worker] = chaos.workers;
    if (worker === undefined) throw new Error('There is no worker.');
    const struck = freezeBeyondLeases(chaos, random, worker);
    await chaos.startWorker();
    await struck;
    await untilAllEnded(chaos);
    await expect(checkTruth(chaos, turns)).rejects.toThrow(violation);
  },
  CASE_LIMIT_MS,
);

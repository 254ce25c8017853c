import { afterEach, test } from '@jest/globals';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { FaultInjector, type Fault } from './support/fault-injector.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { scriptOfPlans } from './support/workload.ts';

const LEAST = byLength({ short: { turns: 24, faults: 2 }, long: { turns: 500, faults: 20 } });

const FEW = 10;

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

/** Kills it whenever it has taken a few more turns, so that a slow machine gets on as well. */
function killBusyApi(): Fault {
  let seen = 0;
  return async ({ cluster }) => {
    const { rows } = await cluster.database.pool.query<{ count: number }>('SELECT count(*)::int FROM turns');
    const count = rows[0]?.count ?? 0;
    if (count < seen + FEW) return false;
    await cluster.api?.end('SIGKILL');
    seen = count;
    await cluster.startApi();
    return true;
  };
}

test(
  'the API is killed while turns are submitted: a client that sends each again with its key has each turn once',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: 2 });
    await chaos.cluster.control.setScript(scriptOfPlans());
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 50, fault: killBusyApi() });
    const turns = await runUnder(chaos, faultInjector, LEAST);
    await checkTruth(chaos, turns);
  },
  CASE_LIMIT_MS,
);

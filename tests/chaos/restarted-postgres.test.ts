import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, test } from '@jest/globals';
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { FaultInjector, type Fault } from './support/fault-injector.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { scriptOfPlans } from './support/workload.ts';

const LEAST = byLength({ short: { turns: 16, faults: 2 }, long: { turns: 500, faults: 20 } });
const EVERY_MS = byLength({ short: 2_000, long: 5_000 });

let chaos: ChaosCluster;
let postgres: PostgresServer;
beforeEach(async () => {
  postgres = await startPostgres({ durable: true });
});
afterEach(async () => {
  await chaos.stop();
  await postgres.stop();
});

const crashPostgres: Fault = async (_, random) => {
  await postgres.crash();
  await delay(random.between(0, 1_000));
  await postgres.start();
  return true;
};

test(
  'Postgres crashes every few seconds: every turn completes, and nothing that is finished is done again',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({
      workers: 2,
      postgresUrl: postgres.url,
      // Long enough to live through a restart: what a model call cost is not thrown away for it.
      environment: { LEASE_MS: '10000' },
    });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 150;
    const faultInjector = new FaultInjector(chaos, random, { everyMs: EVERY_MS, fault: crashPostgres });
    const turns = await runUnder(chaos, faultInjector, LEAST);
    await checkTruth(chaos, turns);
  },
  CASE_LIMIT_MS,
);

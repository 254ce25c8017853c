import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { FaultInjector, type Fault } from './support/fault-injector.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurns } from './support/workload.ts';

const LEAST = byLength({ short: { turns: 16, faults: 2 }, long: { turns: 500, faults: 30 } });
const OUTAGES_S = byLength({ short: [2], long: [2, 20, 60] });
/**
 * What is promised: so long after its return everything is as before. In the short form other tests may have the
 * processors meanwhile; a worker that stays deaf is found in any time.
 */
const RECOVERY_MS = byLength({ short: 120_000, long: 30_000 });

const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;

let chaos: ChaosCluster;
let redis: RedisServer;
let proxy: TcpProxy;
beforeEach(async () => {
  const started = await startRedis();
  if (started === null) throw new Error('There is no redis-server on PATH.');
  redis = started;
  proxy = await startTcpProxy(redis.port);
});
afterEach(async () => {
  await chaos.stop();
  await proxy.stop();
  await redis.stop();
});

async function startOver(port: number): Promise<void> {
  chaos = await ChaosCluster.start({
    workers: 2,
    backplaneUrl: `redis://127.0.0.1:${port}`,
    // No worker dies here, so no lease may be lost, however slow the machine is.
    environment: { LEASE_MS: '15000' },
  });
  await chaos.cluster.control.setScript(scriptOfPlans());
  chaos.effects.delayMs = 150;
}

async function flushRedis(): Promise<void> {
  const socket = connect(redis.port, '127.0.0.1');
  socket.write('FLUSHALL\r\n');
  const [response] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  if (!response.toString().startsWith('+OK')) throw new Error(`Redis says ${response.toString()}`);
}

/** Redis loses all its data; half of the time it is also killed and started again. */
const loseRedis: Fault = async (_, random) => {
  if (random.next() < 0.5) {
    await flushRedis();
    return true;
  }
  await redis.kill();
  await delay(random.between(0, 500));
  await redis.start();
  return true;
};

withRedis(
  'Redis is wiped and restarted all the time: every turn completes, at the first attempt',
  async () => {
    const random = startChance();
    await startOver(redis.port);
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: loseRedis });
    const turns = await runUnder(chaos, faultInjector, LEAST);
    const truth = await checkTruth(chaos, turns);
    expect(new Set(truth.turns.map((turn) => turn.attempts))).toEqual(new Set([1]));
  },
  CASE_LIMIT_MS,
);

withRedis.each(OUTAGES_S)(
  'Redis is away for %i s: turns are accepted meanwhile, and 30 s after its return all are done, by the same workers',
  async (seconds) => {
    startChance();
    await startOver(redis.port);
    const before = await submitTurns(chaos, 8);
    await redis.kill();
    const during = await submitTurns(chaos, 8);
    await delay(seconds * 1_000);
    await redis.start();
    const after = await submitTurns(chaos, 8);
    await untilAllEnded(chaos, RECOVERY_MS);
    await checkTruth(chaos, [...before, ...during, ...after]);
    expect([...chaos.workers].map(({ program }) => program.process.exitCode)).toEqual([null, null]);
  },
  CASE_LIMIT_MS,
);

withRedis(
  'connections to Redis go dead without a word: 30 s later all turns are done, by the same workers',
  async () => {
    startChance();
    await startOver(proxy.port);
    const before = await submitTurns(chaos, 8);
    await untilAllEnded(chaos);
    proxy.freeze();
    const after = await submitTurns(chaos, 8);
    await untilAllEnded(chaos, RECOVERY_MS);
    await checkTruth(chaos, [...before, ...after]);
    expect([...chaos.workers].map(({ program }) => program.process.exitCode)).toEqual([null, null]);
  },
  CASE_LIMIT_MS,
);

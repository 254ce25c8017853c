import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { freePort } from '../../../tests/support/free-port.ts';
import { startRedis, type RedisServer } from '../../../tests/support/redis-server.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import type { Backplane } from './backplane.ts';
import { BackplaneUnavailableError } from './errors.ts';
import { openBackplane } from './open-backplane.ts';
import type { Signal } from './signal.ts';
import { HeldRuns, someJobs } from './testing/held-runs.ts';
import { startTcpProxy, type TcpProxy } from './testing/tcp-proxy.ts';

/** The limit of "within seconds" here; the timeouts are two or three seconds. */
const SECONDS_MS = 6_000;

const describeRedis = process.env['TEST_REDIS_URL'] === undefined ? describe.skip : describe;

describeRedis('A backplane whose Redis goes away (skipped where there is no Redis for tests)', () => {
  let redis: RedisServer;
  let backplane: Backplane;
  let errors: Error[];
  const ran: string[] = [];

  const open = (port: number, deafAfterMs = 1_000): Promise<Backplane> =>
    openBackplane({
      url: `redis://127.0.0.1:${port}`,
      deafAfterMs,
      onError: (error) => void errors.push(error),
    });
  const consume = (concurrency = 2): void => {
    backplane.consume({
      concurrency,
      run: async ({ turnId }) => void ran.push(turnId),
      onError: (error) => void errors.push(error),
    });
  };
  const untilRan = (turnId: string): Promise<void> =>
    untilTrue(`${turnId} ran`, () => ran.includes(turnId), 20_000);

  beforeEach(async () => {
    const started = await startRedis();
    if (started === null) throw new Error('There is no redis-server on PATH.');
    redis = started;
    errors = [];
    ran.length = 0;
  });
  afterEach(async () => {
    await backplane.close();
    await redis.kill();
  });

  it('starts while Redis is away, fails within seconds, and works when Redis is back', async () => {
    await redis.kill();
    backplane = await open(redis.port);
    consume();
    const heard: Signal[] = [];
    let returns = 0;
    backplane.onReconnect(() => void returns++);
    await backplane.subscribe('turns', (signal) => void heard.push(signal));
    await failsWithinSeconds(() => backplane.enqueue(someJobs(1)));

    await redis.start();
    await untilTrue('signals may flow', () => returns === 1);
    await backplane.enqueue(someJobs(1));
    await untilRan('turn_0');
    await backplane.publish('turns', { number: 1 });
    await untilTrue('the signal came', () => heard.length === 1);
  });

  it('every operation fails within seconds while Redis is away', async () => {
    backplane = await open(redis.port);
    await backplane.ping();
    await redis.kill();
    await Promise.all(everything(backplane).map(failsWithinSeconds));
    // An operation that was given up must not be sent when Redis is back.
    await redis.start();
    await untilTrue('it is back', () => answers(backplane));
    expect(await backplane.depth()).toEqual({ waiting: 0, active: 0 });
  });

  it.each([
    [2, 'two seconds, shorter than a worker waits for a job'],
    [9, 'nine seconds, several times longer'],
  ])('receives new jobs and signals again after an outage of %i s (%s)', async (seconds) => {
    backplane = await open(redis.port);
    consume();
    const heard: unknown[] = [];
    let returns = 0;
    backplane.onReconnect(() => void returns++);
    await backplane.subscribe('turns', ({ number }) => void heard.push(number));
    await backplane.enqueue(someJobs(1));
    await untilRan('turn_0');

    await redis.kill();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    await redis.start();
    await untilTrue('it is back', () => answers(backplane), SECONDS_MS);
    await backplane.enqueue(someJobs(5, 1));
    for (let number = 1; number <= 5; number++) await untilRan(`turn_${number}`);
    await untilTrue('the return was announced', () => returns === 1);
    await backplane.publish('turns', { number: 2 });
    await untilTrue('the signal came', () => heard.includes(2));
  });

  it('continues the jobs that ran when Redis went away, and runs each once', async () => {
    backplane = await open(redis.port);
    const runs = new HeldRuns();
    const consumer = backplane.consume({
      concurrency: 2,
      run: runs.run,
      onError: (error) => void errors.push(error),
    });
    await backplane.enqueue(someJobs(1));
    await untilTrue('it runs', () => runs.now === 1);
    await redis.kill();
    await redis.start();
    await untilTrue('it is back', () => answers(backplane));
    await backplane.enqueue(someJobs(1, 1));
    await untilTrue('the next one runs', () => runs.now === 2);
    expect(consumer.active).toBe(2);
    runs.letGo();
    await untilTrue('both ended', () => consumer.active === 0);
    expect(runs.started).toEqual(['turn_0', 'turn_1']);
  });

  it('keeps its subscriptions and receives new jobs when Redis is wiped', async () => {
    backplane = await open(redis.port);
    consume();
    const heard: Signal[] = [];
    await backplane.subscribe('turns', (signal) => void heard.push(signal));
    await backplane.enqueue(someJobs(1));
    await untilRan('turn_0');
    const other = new Redis(redis.url);
    await other.flushall();
    await other.script('FLUSH');
    await other.quit();
    await backplane.enqueue(someJobs(1, 1));
    await untilRan('turn_1');
    await backplane.publish('turns', { number: 1 });
    await untilTrue('the signal came', () => heard.length === 1);
  });

  it('reports an outage', async () => {
    backplane = await open(redis.port);
    consume();
    await backplane.ping();
    await redis.kill();
    await failsWithinSeconds(() => backplane.ping());
    await untilTrue('the outage is reported', () =>
      errors.some(({ message }) => message.includes('ECONNREFUSED')),
    );
  });

  it('reports that a Redis which became a replica refuses writes, and works when it is a primary again', async () => {
    const operator = new Redis(redis.url);
    backplane = await open(redis.port);
    consume();
    const heard: unknown[] = [];
    await backplane.subscribe('turns', ({ number }) => void heard.push(number));
    await backplane.enqueue(someJobs(1));
    await untilRan('turn_0');
    await operator.replicaof('127.0.0.1', String(await freePort()));
    await expect(backplane.ping()).rejects.toThrow(/READONLY/);
    await failsWithinSeconds(() => backplane.enqueue(someJobs(1, 1)));
    // Repeated requests are refused each time, and are not reported thousands of times.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(errors.length).toBeLessThan(100);
    await operator.replicaof('NO', 'ONE');
    await untilTrue('it takes writes', () => answers(backplane));
    await backplane.enqueue(someJobs(1, 2));
    await untilRan('turn_2');
    await backplane.publish('turns', { number: 1 });
    await untilTrue('the signal came', () => heard.includes(1));
    operator.disconnect();
  });

  it('moves from a server that became a replica to the one that has its name now, also connections that only listen', async () => {
    const other = await startRedis();
    if (other === null) throw new Error('There is no redis-server on PATH.');
    const proxy = await startTcpProxy(redis.port);
    const operator = new Redis(redis.url);
    try {
      backplane = await open(proxy.port);
      consume();
      const heard: unknown[] = [];
      await backplane.subscribe('turns', ({ number }) => void heard.push(number));
      await backplane.enqueue(someJobs(1));
      await untilRan('turn_0');
      // The old server continues with its connections, and receives nothing that is sent to the new one.
      await operator.replicaof('127.0.0.1', String(await freePort()));
      proxy.retarget(other.port);
      await untilTrue('it takes writes', () => answers(backplane));
      await backplane.enqueue(someJobs(1, 1));
      await untilRan('turn_1');
      await untilTrue('a signal comes', async () => {
        await backplane.publish('turns', { number: 1 });
        return heard.includes(1);
      });
    } finally {
      operator.disconnect();
      await proxy.stop();
      await other.stop();
    }
  });

  it('pauses before each retry while the server refuses, and continues when it no longer does', async () => {
    const operator = new Redis(redis.url);
    await operator.call('ACL', 'SETUSER', 'default', '-evalsha', '-eval');
    backplane = await open(redis.port);
    consume();
    await untilTrue('it was refused', () => errors.some(({ message }) => message.includes('NOPERM')));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(errors.length).toBeLessThan(50);
    await operator.call('ACL', 'SETUSER', 'default', '+evalsha', '+eval');
    await backplane.enqueue(someJobs(1));
    await untilRan('turn_0');
    operator.disconnect();
  });

  it('reports that a full Redis refuses writes', async () => {
    const operator = new Redis(redis.url);
    backplane = await open(redis.port);
    await backplane.ping();
    await operator.config('SET', 'maxmemory', '1');
    await expect(backplane.ping()).rejects.toThrow(/OOM/);
    await operator.config('SET', 'maxmemory', '0');
    await backplane.ping();
    operator.disconnect();
  });

  describe('over a network that drops everything silently', () => {
    let proxy: TcpProxy;
    beforeEach(async () => {
      proxy = await startTcpProxy(redis.port);
    });
    afterEach(() => proxy.stop());

    it('detects it, and makes requests, listens and receives jobs over new connections', async () => {
      backplane = await open(proxy.port);
      consume();
      const heard: unknown[] = [];
      let returns = 0;
      backplane.onReconnect(() => void returns++);
      await backplane.subscribe('turns', ({ number }) => void heard.push(number));
      await backplane.enqueue(someJobs(1));
      await untilRan('turn_0');

      proxy.freeze();
      await untilTrue('the return was announced', () => returns === 1);
      await untilTrue('it can be asked', () => answers(backplane));
      await backplane.publish('turns', { number: 2 });
      await untilTrue('the signal came', () => heard.includes(2));
      await backplane.enqueue(someJobs(3, 1));
      await Promise.all([untilRan('turn_1'), untilRan('turn_2'), untilRan('turn_3')]);
    });

    it('replaces a deaf worker, whose jobs continue and keep their slots', async () => {
      backplane = await open(proxy.port);
      await backplane.subscribe('turns', () => undefined);
      const asking = proxy.connections;
      const runs = new HeldRuns();
      const consumer = backplane.consume({
        concurrency: 3,
        run: runs.run,
        onError: (error) => void errors.push(error),
      });
      await backplane.enqueue(someJobs(2));
      await untilTrue('two run', () => runs.now === 2);

      proxy.freeze(asking);
      await backplane.enqueue(someJobs(5, 2));
      await untilTrue('a third runs', () => runs.now === 3);
      expect(errors.map(({ message }) => message)).toContainEqual(expect.stringMatching(/is replaced/));
      expect(consumer.active).toBe(3);
      // All slots are used: the other jobs wait, and no worker counts as deaf.
      const { waiting } = await backplane.depth();
      expect(waiting).toBe(4);
      runs.letGo();
      await untilTrue('all ran', () => new Set(runs.started).size === 7);
      await untilTrue('all ended', () => consumer.active === 0);
      expect(runs.most).toBe(3);
    });

    it('does not replace a worker that is idle, busy or has no jobs to receive', async () => {
      backplane = await open(proxy.port, 500);
      const runs = new HeldRuns();
      backplane.consume({ concurrency: 1, run: runs.run, onError: (error) => void errors.push(error) });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await backplane.enqueue(someJobs(3));
      await untilTrue('one runs', () => runs.now === 1);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(errors).toEqual([]);
      expect(runs.started).toHaveLength(1);
      runs.letGo();
      await untilTrue('all ran', () => runs.started.length === 3);
    });

    it('fails within seconds while nothing responds, and works again when it does', async () => {
      backplane = await open(proxy.port);
      consume();
      await backplane.ping();
      proxy.freeze();
      proxy.freezeNew(true);
      await Promise.all(everything(backplane).map(failsWithinSeconds));
      proxy.freezeNew(false);
      await untilTrue('it can be asked', () => answers(backplane));
      await backplane.enqueue(someJobs(1, 50));
      await untilRan('turn_50');
    });

    it.each(['alive', 'dead', 'silent'])('closes within seconds while Redis is %s', async (state) => {
      backplane = await open(proxy.port);
      const runs = new HeldRuns();
      const consumer = backplane.consume({ concurrency: 2, run: runs.run, onError: () => undefined });
      await backplane.subscribe('turns', () => undefined);
      await backplane.enqueue(someJobs(1));
      await untilTrue('it runs', () => runs.now === 1);
      if (state === 'dead') await redis.kill();
      if (state === 'silent') proxy.freeze();
      if (state === 'silent') proxy.freezeNew(true);
      await withinSeconds(() => consumer.close(100));
      await withinSeconds(() => backplane.close());
      runs.letGo();
    });
  });
});

describeRedis('A Redis of another kind (skipped where there is no Redis for tests)', () => {
  const open = (port: number, onUnusable?: (error: Error) => void): Promise<Backplane> =>
    openBackplane({
      url: `redis://127.0.0.1:${port}`,
      onError: () => undefined,
      ...(onUnusable === undefined ? {} : { onUnusable }),
    });

  it.each([
    ['cluster', /is a node of a Redis Cluster: set REDIS_CLUSTER=on/],
    ['sentinel', /is a Redis Sentinel.+REDIS_SENTINELS/],
  ] as const)('a %s is refused with a clear message, also where it starts later', async (kind, sentence) => {
    const server = await startRedis({ kind });
    if (server === null) throw new Error('There is no redis-server on PATH.');
    let backplane: Backplane | undefined;
    try {
      await expect(open(server.port)).rejects.toThrow(sentence);
      await server.kill();
      const reported: Error[] = [];
      backplane = await open(server.port, (error) => void reported.push(error));
      await server.start();
      await untilTrue('the error is reported', () => reported.length > 0);
      expect(reported[0]?.message).toMatch(sentence);
    } finally {
      await backplane?.close();
      await server.stop();
    }
  });
});

/** One operation of each kind. */
function everything(backplane: Backplane): (() => Promise<unknown>)[] {
  return [
    () => backplane.enqueue(someJobs(2)),
    () => backplane.missing(someJobs(2)),
    () => backplane.publish('turns', { number: 1 }),
    () => backplane.ping(),
    () => backplane.depth(),
    () => backplane.retryBudget.take('a'),
    () => backplane.spendRequests('a', 1, { perSecond: 10 }),
  ];
}

async function failsWithinSeconds(work: () => Promise<unknown>): Promise<void> {
  await withinSeconds(() => expect(work()).rejects.toThrow(BackplaneUnavailableError));
}

async function withinSeconds(work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  expect(performance.now() - start).toBeLessThan(SECONDS_MS);
}

async function answers(backplane: Backplane): Promise<boolean> {
  try {
    await backplane.ping();
    return true;
  } catch {
    return false;
  }
}

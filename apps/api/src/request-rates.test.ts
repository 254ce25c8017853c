import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openBackplane, type Backplane } from '@turnpike/backplane';
import { startRedis } from '../../../tests/support/redis-server.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { RequestRates } from './request-rates.ts';

const servers: Record<string, () => Promise<{ url: string; drop(): Promise<void> }>> = {
  postgres: () => createTestDatabase(),
};
if (process.env['TEST_REDIS_URL'] !== undefined) {
  const url = process.env['TEST_REDIS_URL'];
  servers['redis'] = async () => ({ url, drop: async () => undefined });
}

describe.each(Object.entries(servers))('Requests a second over a backplane on %s', (_name, open) => {
  let backplanes: Backplane[];
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const server = await open();
    drop = server.drop;
    const prefix = `t-${randomUUID()}`;
    backplanes = await Promise.all(
      [1, 2].map(() => openBackplane({ url: server.url, prefix, onError: () => undefined })),
    );
  });
  afterAll(async () => {
    await Promise.all(backplanes.map((backplane) => backplane.close()));
    await drop();
  });

  test('two processes under constant load keep one rate together', async () => {
    const perSecond = 200;
    const seconds = 3;
    let late = 0;
    const asked = backplanes.map(
      (backplane) =>
        new RequestRates(async (...of) => {
          const at = performance.now();
          try {
            return await backplane.spendRequests(...of);
          } finally {
            late += Math.max(0, performance.now() - at - 100) / 1_000;
          }
        }),
    );
    const startedAt = performance.now();
    const end = startedAt + seconds * 1_000;
    let admitted = 0;
    await Promise.all(
      asked.map(async (rates) => {
        while (performance.now() < end) {
          if ((await rates.admit('a', perSecond)).isAdmitted) admitted += 1;
          else await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }),
    );
    const took = (performance.now() - startedAt) / 1_000;
    // The burst, what was refilled meanwhile, and for each process the credit of a tenth of a second. While a response is
    // late on a busy machine, a process decides by what it knows.
    expect(admitted).toBeLessThanOrEqual(perSecond * (1 + took + 2 * 0.1 + late) + 2);
    // And the tenant gets its rate: idle moments of a busy machine are made up for by the burst.
    expect(admitted).toBeGreaterThanOrEqual(perSecond * seconds * 0.9);
  });

  test('a thousand requests cost few round trips', async () => {
    let trips = 0;
    const rates = new RequestRates((...of) => {
      trips += 1;
      const [backplane] = backplanes;
      if (backplane === undefined) throw new Error('No backplane.');
      return backplane.spendRequests(...of);
    });
    for (let request = 0; request < 1_000; request++) await rates.admit('b', 10_000);
    expect(trips).toBeLessThanOrEqual(1 + 1_000 / 500 + 10);
  });
});

test('while the backplane is unavailable a process enforces the rate by itself, and no request waits long', async () => {
  const redis = await startRedis();
  // Without Redis nothing listens there, which is the case that is tested.
  await redis?.kill();
  const url = redis?.url ?? 'redis://127.0.0.1:1';
  const backplane = await openBackplane({ url, onError: () => undefined });
  const rates = new RequestRates((...of) => backplane.spendRequests(...of));
  const startedAt = performance.now();
  let longest = 0;
  let admitted = 0;
  while (performance.now() < startedAt + 2_000) {
    const before = performance.now();
    if ((await rates.admit('a', 100)).isAdmitted) admitted += 1;
    longest = Math.max(longest, performance.now() - before);
    await new Promise(setImmediate);
  }
  const took = (performance.now() - startedAt) / 1_000;
  expect(admitted).toBeGreaterThanOrEqual(150);
  expect(admitted).toBeLessThanOrEqual(100 * (1 + took) + 1);
  expect(longest).toBeLessThan(2_000);

  if (redis !== null) {
    await redis.start();
    await untilTrue('the backplane is asked again', async () => {
      await rates.admit('a', 100);
      // Another process sees that requests were admitted.
      return (await backplane.spendRequests('a', 0, { perSecond: 100 }).catch(() => 100)) < 100;
    });
    await redis.stop();
  }
  await backplane.close();
});

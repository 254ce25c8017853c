import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openBackplane, type Backplane } from '@turnpike/backplane';
import { agentConfigSchema, newId } from '@turnpike/contract';
import { createTenant, insertAgent, insertTurn, openDatabase } from '@turnpike/store';
import { newTurn } from '../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { Dispatcher } from './dispatcher.ts';

let database: TestDatabase;
let backplane: Backplane;
let tenantId: string;
beforeAll(async () => {
  database = await openTestDatabase(4);
  backplane = await openBackplane({
    url: process.env['TEST_REDIS_URL'] ?? database.url,
    onError: () => undefined,
  });
  tenantId = await createTenant(database, 'Acme');
});
afterAll(async () => {
  await backplane.close();
  await database.close();
});

test('settle waits for the changes so far, not for those that arrive meanwhile', async () => {
  const errors: unknown[] = [];
  const dispatcher = new Dispatcher({ database, backplane, onError: (error) => errors.push(error) });
  const traffic = setInterval(() => dispatcher.changed({ tenantId }), 1);
  try {
    for (let round = 0; round < 5; round++) {
      dispatcher.changed({ tenantId });
      await dispatcher.settle();
    }
  } finally {
    clearInterval(traffic);
  }
  await dispatcher.settle();
  expect(errors).toEqual([]);
});

test('a dispatch that fails is reported, and settle resolves', async () => {
  const errors: unknown[] = [];
  const broken = openDatabase({
    url: 'postgres://nobody@127.0.0.1:1/nothing',
    poolSize: 1,
    applicationName: 'test',
    onError: () => undefined,
  });
  const dispatcher = new Dispatcher({ database: broken, backplane, onError: (error) => errors.push(error) });
  dispatcher.changed({ tenantId });
  await dispatcher.settle();
  expect(errors).toHaveLength(1);
  await broken.close();
});

test('turns of a tenant without a free slot wait for one, and get it', async () => {
  const dispatcher = new Dispatcher({ database, backplane, onError: () => undefined });
  const agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  const add = () => insertTurn(database.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} });
  const undispatched = async (): Promise<number> => {
    const { rows } = await database.pool.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM turns WHERE status = 'queued' AND dispatched_at IS NULL`,
    );
    return rows[0]?.count ?? 0;
  };
  // More than its window where no worker is known, so it is full.
  await Promise.all(Array.from({ length: 20 }, add));
  for (let look = 0; look < 2; look++) {
    dispatcher.added(tenantId);
    await dispatcher.settle();
  }
  expect(await undispatched()).toBeGreaterThan(0);
  await database.pool.query(
    `UPDATE turns SET status = 'cancelled', finished_at = now(), dispatched_at = NULL WHERE dispatched_at IS NOT NULL`,
  );
  await add();
  dispatcher.added(tenantId);
  await untilTrue('all waiting turns are dispatched', async () => (await undispatched()) === 0);
});

test('the job of a turn that was dispatched with its insert is added to the queue', async () => {
  const errors: unknown[] = [];
  const dispatcher = new Dispatcher({ database, backplane, onError: (error) => errors.push(error) });
  const jobs = [1, 2].map((jobNumber) => ({ turnId: newId('turn'), epoch: 0, jobNumber, queue: null }));
  for (const job of jobs) dispatcher.dispatched(job);
  await untilTrue('no job is missing', async () => (await backplane.missing(jobs)).length === 0);
  expect(errors).toEqual([]);
});

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { promoteDelayed } from './promote-delayed.ts';
import { renewLeases } from './renew-leases.ts';
import { createTenant } from '../tenants/tenants.ts';
import { purgeWorkers } from '../workers/workers.ts';

const POOL = 4;

let database: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  database = openDatabase({
    url: made.url,
    poolSize: POOL,
    applicationName: 'test',
    onError: () => undefined,
  });
});
afterAll(async () => {
  await database.close();
  await drop();
});
beforeEach(() => ask('TRUNCATE workers'));

async function ask(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(text, values)).rows;
}

/** Stores queued turns, each the head of its session; `more` are further columns. */
async function fill(tenantId: string, turns: number, more: Record<string, string> = {}): Promise<void> {
  const [session] = await ask(
    `INSERT INTO sessions (id, tenant_id, agent_id) VALUES ('s' || gen_random_uuid(), $1, 'a') RETURNING id`,
    [tenantId],
  );
  await ask(
    `INSERT INTO turns (${['id, tenant_id, session_id, sequence, agent_id, agent_version, ready_at, deadline_at', ...Object.keys(more)].join(', ')})
     SELECT ${["$2 || n, $1, $2, n, 'a', 1, clock_timestamp(), now() + interval '9 days'", ...Object.values(more)].join(', ')}
     FROM generate_series(1, $3) AS n`,
    [tenantId, session?.['id'], turns],
  );
}

const tenantWith = async (weight: number, turns: number): Promise<string> => {
  const tenantId = await createTenant(database, 'Acme');
  await ask('UPDATE tenants SET weight = $2 WHERE id = $1', [tenantId, weight]);
  await fill(tenantId, turns);
  return tenantId;
};
const dispatch = async (tenantId: string): Promise<number> =>
  (await dispatchTurns(database.pool, [], [tenantId])).turns.length;
const seen = (id: string, concurrency: number) => renewLeases(database.pool, [], 1_000, { id, concurrency });

test.each([
  {
    weight: 1,
    places: [],
    window: 16,
    title: 'without a worker, a quarter of the 64 places that are assumed',
  },
  { weight: 1, places: [4], window: 8, title: 'with few places, eight' },
  { weight: 1, places: [100, 60], window: 40, title: 'else a quarter of the places of all workers' },
  { weight: 3, places: [40], window: 30, title: 'as many times as it weighs' },
  { weight: 0.1, places: [4], window: 1, title: 'one at least' },
])('a tenant has at most its window of turns in the queue: $title', async ({ weight, places, window }) => {
  for (const [number, concurrency] of places.entries()) await seen(`w${number}`, concurrency);
  const tenantId = await tenantWith(weight, 60);
  expect(await dispatch(tenantId)).toBe(window);
  expect(await dispatch(tenantId)).toBe(0);
  // When two of them end, two others are dispatched.
  await ask(
    `UPDATE turns SET status = 'incomplete', finished_at = now() WHERE id IN
     (SELECT id FROM turns WHERE tenant_id = $1 AND dispatched_at IS NOT NULL AND status = 'queued' LIMIT 2)`,
    [tenantId],
  );
  expect(await dispatch(tenantId)).toBe(Math.min(2, window));
});

test('a worker that was not seen for 30 seconds does not count, and is removed', async () => {
  await seen('alive', 40);
  await seen('dead', 400);
  await ask(`UPDATE workers SET seen_at = now() - interval '31 seconds' WHERE id = 'dead'`);
  expect(await dispatch(await tenantWith(1, 60))).toBe(10);
  expect(await purgeWorkers(database.pool, 10)).toBe(1);
  expect(await ask('SELECT id FROM workers')).toEqual([{ id: 'alive' }]);
});

test('processes that dispatch at once do not exceed the window together', async () => {
  await seen('w', 40);
  const tenantId = await tenantWith(1, 100);
  const counts = await Promise.all(Array.from({ length: 12 }, () => dispatch(tenantId)));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10);
});

test('dispatch and promotion do not read the 50,000 turns whose time has not come', async () => {
  const tenantId = await createTenant(database, 'Later');
  await fill(tenantId, 50_000, {
    available_at: `now() + interval '1 day'`,
    run_at: `now() + interval '1 day'`,
  });
  await fill(tenantId, 20, { priority: '5' });
  await fill(tenantId, 3, { available_at: `now() - interval '1 second'` });
  await ask('ANALYZE turns');

  expect(await buffersOf(() => promoteDelayed(database.pool, 100))).toBeLessThan(500);
  expect(
    await ask(`SELECT count(*)::int AS n FROM turns WHERE tenant_id = $1 AND available_at IS NULL`, [
      tenantId,
    ]),
  ).toEqual([{ n: 23 }]);
  expect(await buffersOf(async () => expect(await dispatch(tenantId)).toBe(16))).toBeLessThan(2_000);
  // A pass with nothing to do reads next to nothing.
  expect(await buffersOf(() => promoteDelayed(database.pool, 100))).toBeLessThan(100);
});

/** Pages of `turns` and its indexes that `work` read. */
async function buffersOf(work: () => Promise<unknown>): Promise<number> {
  const pages = async (): Promise<number> => {
    await flushAll();
    const [row] = await ask(
      `SELECT (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::int AS pages
       FROM pg_statio_user_tables WHERE relname = 'turns'`,
    );
    return Number(row?.['pages']);
  };
  const before = await pages();
  await work();
  return (await pages()) - before;
}

/** Each connection reports its statistics when its next statement ends. */
async function flushAll(): Promise<void> {
  const clients = await Promise.all(Array.from({ length: POOL }, () => database.pool.connect()));
  for (const client of clients) {
    await client.query('SELECT pg_stat_force_next_flush()');
    await client.query('SELECT 1');
    client.release();
  }
}

/** A live worker of this pool with these tools; its queue is named for both. */
const worker = (id: string, concurrency: number, pool: string, codeTools: string[]) =>
  renewLeases(database.pool, [], 1_000, {
    id,
    concurrency,
    runs: { pool, codeTools, queue: [pool, ...codeTools].join('.') },
  });
const queuesOf = async (tenantId: string): Promise<Record<string, number>> => {
  const { turns } = await dispatchTurns(database.pool, [], [tenantId]);
  const queues: Record<string, number> = {};
  for (const { queue } of turns) queues[queue ?? 'turns'] = (queues[queue ?? 'turns'] ?? 0) + 1;
  return queues;
};
const needing = (pool: string, codeTools: string[]) => ({
  pool: `'${pool}'`,
  code_tools: `ARRAY[${codeTools.map((name) => `'${name}'`).join(', ')}]::text[]`,
});

test('while all workers are alike, their queue gets every turn that they can run', async () => {
  await worker('w1', 100, 'default', ['a', 'b']);
  const tenantId = await tenantWith(1, 3);
  await fill(tenantId, 2, needing('default', ['a']));
  await fill(tenantId, 2, needing('default', ['c']));
  await fill(tenantId, 2, needing('gpu', []));
  expect(await queuesOf(tenantId)).toEqual({ 'default.a.b': 5 });
});

test('a turn gets into a queue of workers that have its tools, and into none where there are none', async () => {
  await worker('w1', 100, 'default', ['a']);
  await worker('w2', 100, 'default', ['a', 'b']);
  await worker('w3', 100, 'gpu', ['a']);
  const tenantId = await createTenant(database, 'Acme');
  await fill(tenantId, 2, needing('default', ['b']));
  await fill(tenantId, 2, needing('default', ['c']));
  await fill(tenantId, 2, needing('gpu', ['a']));
  await fill(tenantId, 2, needing('gpu', ['b']));
  await fill(tenantId, 2, needing('other', []));
  expect(await queuesOf(tenantId)).toEqual({ 'default.a.b': 2, 'gpu.a': 2 });
  expect(await queuesOf(tenantId)).toEqual({});
});

test('turns that several kinds of workers can run are shared among them by their slots', async () => {
  await worker('w1', 900, 'default', ['a']);
  await worker('w2', 100, 'default', ['a', 'b']);
  const tenantId = await createTenant(database, 'Acme');
  await fill(tenantId, 250, needing('default', ['a']));
  const { 'default.a': most = 0, 'default.a.b': some = 0 } = await queuesOf(tenantId);
  expect(most + some).toBe(250);
  // A tenth of 250 is 25; fewer than 3 or more than 80 come once in a million runs.
  expect(some).toBeGreaterThan(3);
  expect(some).toBeLessThan(80);
});

test('a tenant has its window in each pool, by the slots of that pool, and its cap over all of them', async () => {
  await worker('w1', 40, 'default', []);
  await worker('w2', 80, 'gpu', []);
  const tenantId = await tenantWith(1, 60);
  await fill(tenantId, 60, needing('gpu', []));
  expect(await queuesOf(tenantId)).toEqual({ default: 10, gpu: 20 });
  const capped = await tenantWith(1, 60);
  await fill(capped, 60, needing('gpu', []));
  await ask('UPDATE tenants SET max_running_turns = 12 WHERE id = $1', [capped]);
  // Those that have been ready for longest.
  expect(await queuesOf(capped)).toEqual({ default: 10, gpu: 2 });
  expect(await dispatchTurns(database.pool, [], [capped])).toEqual({ turns: [], full: [capped] });
});

test('plain turns wait in the plain queue where only workers of other pools are alive', async () => {
  await worker('w2', 80, 'gpu', []);
  const tenantId = await tenantWith(1, 60);
  expect(await queuesOf(tenantId)).toEqual({ turns: 16 });
});

test('a program older than pools dispatches only what workers as old can run', async () => {
  await worker('w1', 100, 'default', ['a']);
  const tenantId = await tenantWith(1, 2);
  await fill(tenantId, 2, needing('default', ['a']));
  await fill(tenantId, 2, needing('gpu', []));
  expect(await ask('SELECT turn_id FROM turnpike_dispatch($1, $2)', [[], [tenantId]])).toHaveLength(2);
  expect(await ask('SELECT id FROM turns WHERE tenant_id = $1 AND queue IS NOT NULL', [tenantId])).toEqual(
    [],
  );
});

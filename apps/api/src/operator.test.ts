import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createApiKey, createTenant } from '@turnpike/store';
import supertest, { type Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type Client, type TestApi } from './testing/test-api.ts';

let api: TestApi;
let operator: string;
let tenant: Client;
let agentId: string;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  const { tenantId } = api.client;
  operator = (await createApiKey(api.database.pool, { tenantId, name: 'op', scopes: ['operator'] })).key;
});
beforeEach(async () => {
  await sql('DELETE FROM workers');
  await sql('DELETE FROM paused_pools');
  await sql('DELETE FROM sessions');
  tenant = await api.addTenant();
  agentId = (await tenant.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body.id;
});
afterAll(() => api.stop());

const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await api.database.pool.query(text, values)).rows;
const ask = (method: 'get' | 'post', path: string): Test =>
  supertest(api.url)[method](`/v1/operator/${path}`).set('authorization', `Bearer ${operator}`);
const submit = (): Test => tenant.http.post('/v1/turns').send({ agent_id: agentId, input: 'Hello' });

async function addWorker(id: string, pool = 'default', slots = 64): Promise<void> {
  const queue = pool === 'default' ? 'turns' : `turns-${pool}`;
  await sql(
    `INSERT INTO worker_builds (id, pool, version, tools) VALUES ($1, $1, '1.2.0', '[]') ON CONFLICT DO NOTHING`,
    [pool],
  );
  await sql(
    `INSERT INTO workers (id, concurrency, pool, queue, build, seen_at) VALUES ($1, $2, $3, $4, $3, now())`,
    [id, slots, pool, queue],
  );
}

/** How many turns of the tenant are in the queue. */
async function dispatched(): Promise<number> {
  await api.dispatcher.settle();
  const [row] = await sql(
    `SELECT count(*)::int AS count FROM turns WHERE tenant_id = $1 AND dispatched_at IS NOT NULL`,
    [tenant.tenantId],
  );
  return Number(row?.['count']);
}

test('a paused tenant’s turns are accepted and wait, those in the queue too, and start once it is resumed', async () => {
  await addWorker('one');
  await submit().expect(202);
  expect(await dispatched()).toBe(1);
  const paused = await ask('post', `tenants/${tenant.tenantId}/pause`).expect(200);
  expect(paused.body).toMatchObject({
    object: 'tenant',
    id: tenant.tenantId,
    paused_at: expect.any(String),
    running_turns: 0,
    dispatched_turns: 0,
    waiting_turns: 1,
    oldest_waiting_at: expect.any(String),
  });
  await submit().expect(202);
  expect(await dispatched()).toBe(0);
  // Paused again, it is paused since the first time.
  const again = await ask('post', `tenants/${tenant.tenantId}/pause`).expect(200);
  expect(again.body.paused_at).toBe(paused.body.paused_at);

  const others = await ask('get', 'tenants?paused=true').expect(200);
  expect(others.body.items).toMatchObject([{ id: tenant.tenantId, waiting_turns: 2 }]);
  const resumed = await ask('post', `tenants/${tenant.tenantId}/resume`).expect(200);
  expect(resumed.body).toMatchObject({ paused_at: null });
  expect(await dispatched()).toBe(2);
  const shown = await ask('get', `tenants/${tenant.tenantId}`).expect(200);
  expect(shown.body).toMatchObject({ dispatched_turns: 2, waiting_turns: 0, oldest_waiting_at: null });
});

test('whatever is submitted while a tenant is paused, nothing of it is in the queue afterwards', async () => {
  await addWorker('one', 'default', 1_000);
  const submitting = Array.from({ length: 60 }, () => submit().expect(202));
  const pausing = ask('post', `tenants/${tenant.tenantId}/pause`).expect(200);
  await Promise.all([...submitting, pausing]);
  expect(await dispatched()).toBe(0);
  await ask('post', `tenants/${tenant.tenantId}/resume`).expect(200);
  expect(await dispatched()).toBe(60);
});

test.each(['with workers', 'without workers', 'with workers of another pool'])(
  'turns for a paused pool wait until it is resumed, %s',
  async (state) => {
    if (state === 'with workers') await addWorker('one');
    if (state === 'with workers of another pool') await addWorker('two', 'gpu');
    await submit().expect(202);
    expect(await dispatched()).toBe(1);
    const paused = await ask('post', 'pools/default/pause').expect(200);
    expect(paused.body).toMatchObject({ name: 'default', paused_at: expect.any(String), waiting_turns: 1 });
    await submit().expect(202);
    expect(await dispatched()).toBe(0);
    await ask('post', 'pools/default/resume').expect(200);
    expect(await dispatched()).toBe(2);
  },
);

test('a paused pool holds no turn of another', async () => {
  await addWorker('one');
  await addWorker('two', 'gpu');
  await ask('post', 'pools/gpu/pause').expect(200);
  const body = { name: 'b', model: 'm', pool: 'gpu' };
  const { id } = (await tenant.http.post('/v1/agents').send(body).expect(201)).body;
  await tenant.http.post('/v1/turns').send({ agent_id: id, input: 'Hello' }).expect(202);
  await submit().expect(202);
  expect(await dispatched()).toBe(1);
  const { items } = (await ask('get', 'pools').expect(200)).body;
  expect(items).toMatchObject([
    {
      name: 'default',
      workers: 1,
      slots: 64,
      versions: [{ version: '1.2.0', workers: 1 }],
      dispatched_turns: 1,
      paused_at: null,
    },
    { name: 'gpu', workers: 1, waiting_turns: 1, paused_at: expect.any(String) },
  ]);
  await ask('post', 'pools/gpu/resume').expect(200);
  expect(await dispatched()).toBe(2);
});

test('live workers are listed with what they run', async () => {
  await addWorker('a');
  await addWorker('b', 'gpu', 2);
  await sql(
    `INSERT INTO workers (id, concurrency, seen_at) VALUES ('gone', 1, now() - interval '31 seconds')`,
  );
  const first = await ask('get', 'workers?limit=1').expect(200);
  expect(first.body).toMatchObject({
    items: [{ object: 'worker', id: 'a', pool: 'default', slots: 64, running_turns: 0, tools: [] }],
    next_cursor: 'a',
  });
  const next = await ask('get', 'workers?cursor=a').expect(200);
  expect(next.body).toMatchObject({ items: [{ id: 'b', pool: 'gpu', slots: 2 }], next_cursor: null });
  expect((await ask('get', 'workers?pool=gpu').expect(200)).body.items).toHaveLength(1);
});

test('tenants are found by their ids and parts of their names, page by page', async () => {
  const ids: string[] = [];
  for (const name of ['Globex A', 'globex B', 'Globex C']) ids.push(await createTenant(api.database, name));
  const names = async (query: string): Promise<string[]> =>
    (await ask('get', `tenants?${query}`).expect(200)).body.items.map(({ name }: { name: string }) => name);
  expect(await names('search=GLOBEX')).toEqual(['Globex C', 'globex B', 'Globex A']);
  expect(await names('search=globex&limit=2')).toEqual(['Globex C', 'globex B']);
  expect(await names(`search=globex&cursor=${ids[1]}`)).toEqual(['Globex A']);
  expect(await names(`search=${ids[0]}`)).toEqual(['Globex A']);
  expect(await names('search=%25')).toEqual([]);
});

test('what is not there is not found, and what an operator does is in the audit log of the key’s tenant', async () => {
  await ask('get', 'tenants/ten_01kapjt9e8f7ga5vxq3c2m4n6r').expect(404);
  await ask('post', 'tenants/ten_01kapjt9e8f7ga5vxq3c2m4n6r/pause').expect(404);
  await ask('post', 'pools/nobody/resume').expect(404);
  await ask('post', `tenants/${tenant.tenantId}/pause`).expect(200);
  await ask('post', 'pools/gpu/pause').expect(200);
  const acts = (await sql('SELECT action, subject FROM audit_entries WHERE tenant_id = $1', [
    api.client.tenantId,
  ])) as { action: string; subject: string }[];
  expect(acts).toContainEqual({ action: 'tenant.paused', subject: tenant.tenantId });
  expect(acts).toContainEqual({ action: 'pool.paused', subject: 'gpu' });
});

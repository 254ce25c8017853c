import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { CodeTool } from '@turnpike/contract';
import { announceBuild, renewLeases, type AnnouncedTool } from '@turnpike/store';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());
beforeEach(async () => {
  await api.database.pool.query('TRUNCATE workers, worker_builds, code_tools');
});

const tool = (name: string, change: Partial<AnnouncedTool> = {}): AnnouncedTool => ({
  name,
  description: `Does ${name}.`,
  input_schema: { type: 'object' },
  output_schema: null,
  effect: 'once',
  on_unknown: 'ask',
  timeout_ms: 30_000,
  hash: `hash of ${name}`,
  ...change,
});
/** A worker that announces these tools; one that is gone has no heartbeat. */
async function worker(
  build: string,
  pool: string,
  version: string,
  tools: AnnouncedTool[],
  isAlive = true,
): Promise<void> {
  await announceBuild(api.database.pool, { id: build, pool, version, tools });
  if (!isAlive) return;
  const runs = { pool, codeTools: tools.map(({ name }) => name), queue: `turns.${build}` };
  await renewLeases(api.database.pool, [], 1_000, { id: `worker of ${build}`, concurrency: 1, runs, build });
}
const named = (...names: string[]) => names.map((name) => ({ type: 'code', name }));
const create = (body: object) =>
  api.client.http.post('/v1/agents').send({ name: 'a', model: 'claude-sonnet-4-5', ...body });
const issuesOf = (response: { body: { errors?: unknown } }): unknown => response.body.errors;
const listed = async (query = ''): Promise<{ items: CodeTool[]; next_cursor: string | null }> =>
  (await api.client.http.get(`/v1/tools${query}`).expect(200)).body;

test('an agent is refused whose tools in code no worker of its pool has announced, with what there is', async () => {
  expect(issuesOf(await create({ tools: named('charge') }).expect(400))).toEqual([
    {
      path: 'tools.0.name',
      message: 'unknown tool charge: start a worker whose code defines it first; there are none',
    },
  ]);
  await worker('b1', 'default', '1.0.0', [tool('charge'), tool('refund')]);
  await worker('b2', 'gpu', '1.0.0', [tool('render')]);
  await create({ tools: named('charge', 'refund') }).expect(201);
  expect(issuesOf(await create({ tools: named('charge', 'rfund', 'render') }).expect(400))).toEqual([
    {
      path: 'tools.1.name',
      message: 'unknown tool rfund: start a worker whose code defines it first; there are charge, refund',
    },
    {
      path: 'tools.2.name',
      message: 'no worker of the pool default has the tool render; workers of gpu have',
    },
  ]);
  expect(issuesOf(await create({ pool: 'cpu' }).expect(400))).toEqual([
    {
      path: 'pool',
      message: 'no worker of the pool cpu has been seen: start one first; there are default, gpu',
    },
  ]);
  expect(issuesOf(await create({ pool: 'No Pool' }).expect(400))).toMatchObject([{ path: 'pool' }]);
  expect((await create({ pool: 'gpu', tools: named('render') }).expect(201)).body.pool).toBe('gpu');
});

test('a change of the pool checks the tools that stay, and any other change leaves them alone', async () => {
  await worker('b1', 'default', '1.0.0', [tool('charge')]);
  await worker('b2', 'gpu', '1.0.0', [tool('render')]);
  const { body: agent } = await create({ tools: named('charge') }).expect(201);
  const change = (body: object) => api.client.http.post(`/v1/agents/${agent.id}`).send(body);
  expect(agent).toMatchObject({ version: 1, pool: 'default' });
  expect(issuesOf(await change({ pool: 'gpu' }).expect(400))).toMatchObject([{ path: 'tools.0.name' }]);
  expect((await change({ pool: 'gpu', tools: named('render') }).expect(200)).body.version).toBe(2);
  await api.database.pool.query('TRUNCATE worker_builds');
  expect((await change({ system: 'Be brief.' }).expect(200)).body).toMatchObject({ version: 3, pool: 'gpu' });
  expect((await change({ pool: null, tools: null }).expect(200)).body).toMatchObject({ pool: 'default' });
});

test('a version of the default pool is stored as programs older than pools read it', async () => {
  const { body } = await create({}).expect(201);
  const { rows } = await api.database.pool.query(
    `SELECT config ? 'pool' AS named, pool FROM agent_versions WHERE agent_id = $1`,
    [body.id],
  );
  expect(rows).toEqual([{ named: false, pool: 'default' }]);
  expect(
    (await api.client.http.post(`/v1/agents/${body.id}`).send({ name: 'a' }).expect(200)).body.version,
  ).toBe(1);
});

test('tools in code are listed beside HTTP tools, as live workers have them, with every version', async () => {
  await worker('b1', 'default', '1.0.0', [tool('charge', { hash: 'h1' }), tool('gone')], false);
  await worker('b2', 'default', '1.1.0', [tool('charge', { hash: 'h2', description: 'Charges a card.' })]);
  const { body: http } = await api.client.http
    .post('/v1/tools')
    .send({
      name: 'lookup',
      description: 'Looks up.',
      input_schema: { type: 'object' },
      url: 'https://t.example/',
    })
    .expect(201);
  await worker('b3', 'gpu', '1.1.0', [tool('charge', { hash: 'h2', description: 'Charges a card.' })]);
  const { items } = await listed();
  const [charge, gone] = ['charge', 'gone'].map((name) => items.find((item) => item.name === name));
  expect(items.map(({ id }) => id)).toEqual(
    items
      .map(({ id }) => id)
      .toSorted()
      .toReversed(),
  );
  expect(items).toContainEqual(expect.objectContaining({ id: http.id, type: 'http' }));
  expect(charge).toMatchObject({
    object: 'tool',
    type: 'code',
    description: 'Charges a card.',
    effect: 'once',
    on_unknown: 'ask',
    pools: ['default', 'gpu'],
    workers: 2,
  });
  expect(charge?.versions).toHaveLength(3);
  expect(charge?.versions.at(-1)).toEqual({
    pool: 'default',
    package_version: '1.0.0',
    hash: 'h1',
    workers: 0,
  });
  expect(gone).toMatchObject({ workers: 0, pools: [] });
  expect((await api.client.http.get(`/v1/tools/${charge?.id}`).expect(200)).body).toEqual(charge);

  const pages = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await listed(`?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
    pages.push(...page.items);
    cursor = page.next_cursor;
  }
  expect(pages.filter(({ id }) => items.some((item) => item.id === id))).toEqual(items);
});

test('a tool in code is not changed and not deleted through the API', async () => {
  await worker('b1', 'default', '1.0.0', [tool('charge')]);
  const { id = '' } = (await listed()).items.find(({ name }) => name === 'charge') ?? {};
  const config = { description: 'x', input_schema: { type: 'object' }, url: 'https://t.example/' };
  const { body } = await api.client.http.post(`/v1/tools/${id}`).send(config).expect(404);
  expect(body.detail).toContain('A tool in code changes with its code.');
  await api.client.http.delete(`/v1/tools/${id}`).expect(404);
  expect((await listed()).items.some((item) => item.id === id)).toBe(true);
});

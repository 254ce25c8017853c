import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS, type LimitOverrides } from '@turnpike/contract';
import { changeLimits } from '@turnpike/store';
import type { Response } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi, type Client } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());
afterEach(() => expect(api.errors.splice(0)).toEqual([]));

let client: Client;
let agentId: string;
beforeEach(async () => {
  client = await api.addTenant();
  const agent = await client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  agentId = agent.body.id;
});

async function limit(overrides: LimitOverrides): Promise<void> {
  await changeLimits(api.database.pool, client.tenantId, overrides);
  await untilTrue('the limits are known', async () => {
    const { body } = await client.http.get('/v1/limits');
    return Object.entries(overrides).every(([name, value]) => body[name] === value);
  });
}

const start = (more: object = {}) =>
  client.http.post('/v1/turns').send({ agent_id: agentId, input: 'Hi', ...more });
const submit = (sessionId: string, more: object = {}) =>
  client.http.post(`/v1/sessions/${sessionId}/turns`).send({ input: 'Hi', ...more });
const makeSession = () => client.http.post('/v1/sessions').send({ agent_id: agentId });

function byCode(responses: Response[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of responses) {
    const code = String(body.code ?? status);
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

async function count(table: 'turns' | 'sessions'): Promise<number> {
  const { rows } = await api.database.pool.query(
    `SELECT count(*)::int AS n FROM ${table} WHERE tenant_id = $1`,
    [client.tenantId],
  );
  return rows[0].n;
}

test('a tenant reads its limits: the defaults, and what the operator set about a second ago', async () => {
  const { body } = await client.http.get('/v1/limits').expect(200);
  // The bound of the service is lower than the tenant's limit.
  expect(body).toEqual({ object: 'limits', ...DEFAULT_LIMITS, max_body_bytes: 1024 * 1024 });
  await limit({ max_sessions: 3, max_running_turns: 7, weight: 2.5, tokens_per_minute: 60_000 });
  await changeLimits(api.database.pool, client.tenantId, { max_sessions: null, weight: null });
  await untilTrue('the defaults are back', async () => {
    const { body: later } = await client.http.get('/v1/limits');
    return later.max_sessions === DEFAULT_LIMITS.max_sessions && later.weight === 1;
  });
  const { body: other } = await (await api.addTenant()).http.get('/v1/limits');
  expect(other.max_running_turns).toBe(DEFAULT_LIMITS.max_running_turns);
});

test('the default number of running turns is the same in the database and in the code', async () => {
  const { rows } = await api.database.pool.query(
    `SELECT max_running_turns, weight FROM tenants WHERE id = $1`,
    [client.tenantId],
  );
  const { max_running_turns: running, weight } = DEFAULT_LIMITS;
  expect(rows).toEqual([{ max_running_turns: running, weight }]);
});

test('of 200 turns submitted at once under a cap of 10, exactly 10 are accepted', async () => {
  await limit({ max_queued_turns: 10 });
  const responses = await Promise.all(Array.from({ length: 200 }, () => start()));
  expect(byCode(responses)).toEqual({ 202: 10, queue_full: 190 });
  expect(responses.find(({ status }) => status === 429)?.headers['retry-after']).toBe('1');
  // Refused submits stored nothing.
  expect([await count('turns'), await count('sessions')]).toEqual([10, 10]);
});

test.each(['enqueue', 'interrupt', 'rollback'])(
  'a full queue accepts a turn by "%s" only where that frees a slot itself',
  async (strategy) => {
    const sessions = await Promise.all([makeSession(), makeSession(), makeSession(), makeSession()]);
    await limit({ max_queued_turns: 10 });
    const all = Array.from({ length: 40 }, (_, n) => sessions[n % 4]?.body.id as string);
    const responses = await Promise.all(all.map((id) => submit(id, { multitask_strategy: strategy })));
    const { rows } = await api.database.pool.query(
      `SELECT count(*)::int AS n FROM turns WHERE tenant_id = $1 AND status = 'queued'`,
      [client.tenantId],
    );
    if (strategy === 'enqueue') {
      expect(byCode(responses)).toEqual({ 202: 10, queue_full: 30 });
      expect(rows[0].n).toBe(10);
    } else {
      // Each cancels the turn before it, so there is one left of each session.
      expect(byCode(responses)).toEqual({ 202: 40 });
      expect(rows[0].n).toBe(4);
    }
  },
);

test('queue_full is reported before session_busy, and not_found before both once a slot is free', async () => {
  const first = await start().expect(202);
  await limit({ max_queued_turns: 1 });
  const refused = await submit(first.body.session_id, { multitask_strategy: 'reject' });
  expect(refused.body.code).toBe('queue_full');
  await client.http.post(`/v1/turns/${first.body.id}/cancel`).expect(202);
  await start({ agent_id: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r' }).expect(404);
  await submit(first.body.session_id, { multitask_strategy: 'reject' }).expect(202);
});

test('a full queue accepts a message that joins a running turn, and replays what was accepted before', async () => {
  const running = await start().expect(202);
  await limit({ max_queued_turns: 1 });
  await api.dispatcher.settle();
  await api.database.pool.query(
    `UPDATE turns SET status = 'in_progress', epoch = 1, leased_until = now() + interval '1 hour' WHERE id = $1`,
    [running.body.id],
  );
  const accepted = await start().set('Idempotency-Key', 'once').expect(202);
  await start().expect(429);
  const again = await start().set('Idempotency-Key', 'once').expect(202);
  expect(again.headers['idempotent-replayed']).toBe('true');
  expect(again.body.id).toBe(accepted.body.id);
  const joined = await submit(running.body.session_id, { multitask_strategy: 'steer' }).expect(202);
  expect(joined.body.id).toBe(running.body.id);
});

test('a full queue accepts turns again as soon as one has left it', async () => {
  const first = await start().expect(202);
  await limit({ max_queued_turns: 1 });
  await start().expect(429);
  await playWorker(api, first.body.id);
  await start().expect(202);
  await start().expect(429);
});

test('a cap that is reached gradually is exact too, although nothing is counted far below it', async () => {
  await limit({ requests_per_second: 30, max_queued_turns: 120 });
  let accepted = 0;
  await untilTrue('it is full', async () => {
    const responses = await Promise.all([start(), start(), start()]);
    accepted += responses.filter(({ status }) => status === 202).length;
    return responses.some(({ body }) => body.code === 'queue_full');
  });
  expect(accepted).toBe(120);
  expect(await count('turns')).toBe(120);
});

test('of 60 sessions created at once in two ways under a cap of 10, exactly 10 are created', async () => {
  await limit({ max_sessions: 10 });
  const responses = await Promise.all(
    Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? start() : makeSession())),
  );
  const { 201: made = 0, 202: started = 0, session_limit: refused } = byCode(responses);
  expect([made + started, refused]).toEqual([10, 50]);
  expect(await count('sessions')).toBe(10);
  expect(responses.find(({ status }) => status === 409)?.headers).not.toHaveProperty('retry-after');

  const [one] = (await client.http.get('/v1/sessions')).body.items;
  await client.http.delete(`/v1/sessions/${one.id}`).expect(204);
  await makeSession().expect(201);
  await makeSession().expect(409);
});

test('a body above the limit of its tenant is refused, and accepted of another tenant', async () => {
  await limit({ max_body_bytes: 2_000 });
  const other = await api.addTenant();
  const body = { name: 'a', model: 'm', system: 'x'.repeat(3_000) };
  const refused = await client.http.post('/v1/agents').send(body).expect(413);
  expect(refused.body.code).toBe('body_too_large');
  await other.http.post('/v1/agents').send(body).expect(201);
  await client.http
    .post('/v1/agents')
    .send({ ...body, system: 'x' })
    .expect(201);
});

test('a response has how many requests are left, and a refused one when the next is admitted', async () => {
  await limit({ requests_per_second: 5 });
  await untilTrue('a second of requests is available', async () => {
    // A second without a request: each one spends.
    await delay(1_000);
    const { headers } = await client.http.get('/v1/limits');
    return /r=[34];/.test(String(headers['ratelimit']));
  });
  const startedAt = performance.now();
  const responses = await Promise.all(Array.from({ length: 60 }, () => client.http.get('/v1/limits')));
  const took = (performance.now() - startedAt) / 1_000;
  const refused = responses.filter(({ status }) => status === 429);
  // The burst, what was refilled meanwhile, and the credit of the process.
  expect(60 - refused.length).toBeLessThanOrEqual(5 * (1 + took) + 1);
  expect(refused[0]?.body).toMatchObject({ code: 'rate_limited', status: 429 });
  expect(refused[0]?.headers).toMatchObject({
    'retry-after': '1',
    'ratelimit-policy': '"requests";q=5;w=1',
    ratelimit: '"requests";r=0;t=1',
  });
  await untilTrue(
    'a request is admitted again',
    async () => (await client.http.get('/v1/limits')).status === 200,
  );
});

test('each message of a batch to /mcp counts as a request', async () => {
  await limit({ requests_per_second: 5 });
  const messages = Array.from({ length: 60 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
  const send = (body: object) =>
    client.http.post('/mcp').set('accept', 'application/json, text/event-stream').send(body);
  const refused = await send(messages);
  expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
  await untilTrue(
    'a request is admitted again',
    async () => (await send(messages.slice(0, 1))).status === 200,
  );
});

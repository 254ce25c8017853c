import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BackplaneUnavailableError } from '@turnpike/backplane';
import { turnSchema, type Turn } from '@turnpike/contract';
import { freePort } from '../../../tests/support/free-port.ts';
import { startRedis } from '../../../tests/support/redis-server.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

async function createAgent({ client }: TestApi, model = 'm'): Promise<string> {
  const agent = await client.http.post('/v1/agents').send({ name: 'a', model }).expect(201);
  return agent.body.id;
}

async function startTurn({ client }: TestApi, agentId: string, more = {}): Promise<Turn> {
  const body = { agent_id: agentId, input: 'Hi', ...more };
  const accepted = await client.http.post('/v1/turns').send(body).expect(202);
  return turnSchema.strict().parse(accepted.body);
}

async function readRow(api: TestApi, table: string, turnId: string): Promise<Record<string, unknown>> {
  const column = table === 'turns' ? 'id' : 'turn_id';
  const { rows } = await api.database.pool.query<Record<string, unknown>>(
    `SELECT * FROM ${table} WHERE ${column} = $1`,
    [turnId],
  );
  expect(rows).toHaveLength(1);
  return rows[0] ?? {};
}

describe('a turn that is submitted', () => {
  let api: TestApi;
  let agentId: string;

  beforeAll(async () => {
    api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
    agentId = await createAgent(api);
  });

  afterAll(() => api.stop());

  test('is accepted with its Location, and can be read there', async () => {
    const { http } = api.client;
    const response = await http.post('/v1/turns').send({ agent_id: agentId, input: 'Hi' }).expect(202);
    const turn = turnSchema.strict().parse(response.body);
    expect(turn).toMatchObject({ status: 'queued', sequence: 1, agent_id: agentId, agent_version: 1 });
    expect(response.headers['location']).toBe(`/v1/turns/${turn.id}`);
    expect(response.headers['retry-after']).toBe('1');
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    const found = await http.get(`/v1/turns/${turn.id}`).expect(200);
    expect(found.body).toEqual(turn);
  });

  test('is stored with its input, its metadata, its deadline and a turn.queued event', async () => {
    const metadata = { order: '17' };
    const input = [{ type: 'text', text: 'Grüße 😀' }];
    const turn = await startTurn(api, agentId, { input, metadata, deadline_ms: 90_000 });
    expect(turn.metadata).toEqual(metadata);
    expect(Date.parse(turn.deadline_at) - Date.parse(turn.created_at)).toBe(90_000);
    expect(await readRow(api, 'turns', turn.id)).toMatchObject({ status: 'queued', metadata, epoch: 0 });
    expect(await readRow(api, 'messages', turn.id)).toMatchObject({ role: 'user', content: input });
    expect(await readRow(api, 'events', turn.id)).toMatchObject({ sequence_number: 1, type: 'turn.queued' });
  });

  test('has a deadline of a day by default', async () => {
    const turn = await startTurn(api, agentId);
    expect(Date.parse(turn.deadline_at) - Date.parse(turn.created_at)).toBe(DAY_MS);
  });

  test('creates its session, with metadata of its own', async () => {
    const turn = await startTurn(api, agentId, { session_metadata: { room: '5' } });
    const session = await api.client.http.get(`/v1/sessions/${turn.session_id}`).expect(200);
    expect(session.body).toMatchObject({ agent_id: agentId, metadata: { room: '5' }, turn_count: 1 });
  });

  test('keeps the version of the agent that it was accepted with', async () => {
    const id = await createAgent(api);
    const before = await startTurn(api, id);
    await api.client.http.post(`/v1/agents/${id}`).send({ model: 'newer' }).expect(200);
    const after = await startTurn(api, id);
    const again = await api.client.http.get(`/v1/turns/${before.id}`);
    expect([again.body.agent_version, after.agent_version]).toEqual([1, 2]);
  });

  test('is enqueued once', async () => {
    await api.dispatcher.settle();
    const before = await api.backplane.depth();
    const turn = await startTurn(api, agentId);
    await api.dispatcher.settle();
    expect((await api.backplane.depth()).waiting).toBe(before.waiting + 1);
    expect((await readRow(api, 'turns', turn.id))['dispatched_at']).not.toBeNull();
  });

  test('is stored and not dispatched while another turn of its session comes before it', async () => {
    const first = await startTurn(api, agentId);
    await api.dispatcher.settle();
    const before = await api.backplane.depth();
    const path = `/v1/sessions/${first.session_id}/turns`;
    const second = await api.client.http.post(path).send({ input: 'And?' }).expect(202);
    expect(second.body).toMatchObject({ status: 'queued', sequence: 2, session_id: first.session_id });
    await api.dispatcher.settle();
    expect((await api.backplane.depth()).waiting).toBe(before.waiting);
    expect((await readRow(api, 'turns', second.body.id))['dispatched_at']).toBeNull();
  });

  test('has its own sequence number in its session, however many are submitted at once', async () => {
    const { http } = api.client;
    const session = await http.post('/v1/sessions').send({ agent_id: agentId }).expect(201);
    const path = `/v1/sessions/${session.body.id}/turns`;
    const responses = await Promise.all(
      Array.from({ length: 30 }, () => http.post(path).send({ input: 'Hi' }).expect(202)),
    );
    const sequences = responses.map((response) => response.body.sequence);
    expect(sequences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
  });
});

describe('while the backplane is down, a turn', () => {
  test('is accepted and stored where the backplane was never up', async () => {
    const backplaneUrl = `redis://127.0.0.1:${await freePort()}`;
    const api = await startTestApi(await createTestDatabase(), { backplaneUrl });
    try {
      const turn = await startTurn(api, await createAgent(api));
      expect(await readRow(api, 'turns', turn.id)).toMatchObject({ status: 'queued', attempts: 0 });
      const read = await api.client.http.get(`/v1/turns/${turn.id}`).expect(200);
      expect(read.body.status).toBe('queued');
      await api.dispatcher.settle();
      expect(api.errors.some((error) => error instanceof BackplaneUnavailableError)).toBe(true);
    } finally {
      await api.stop();
    }
  });

  const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;
  withRedis('is accepted and stored after Redis was killed, and not enqueued', async () => {
    const redis = await startRedis();
    if (redis === null) throw new Error('There is no redis-server on PATH.');
    const api = await startTestApi(await createTestDatabase(), { backplaneUrl: redis.url });
    try {
      const agentId = await createAgent(api);
      await startTurn(api, agentId);
      await api.dispatcher.settle();
      expect(api.errors).toEqual([]);
      await redis.kill();
      const turns = await Promise.all(Array.from({ length: 20 }, () => startTurn(api, agentId)));
      for (const { id } of turns) expect((await readRow(api, 'turns', id))['status']).toBe('queued');
      await api.dispatcher.settle();
      expect(api.errors.some((error) => error instanceof BackplaneUnavailableError)).toBe(true);
    } finally {
      await api.stop();
      await redis.stop();
    }
  });
});

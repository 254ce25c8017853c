import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import supertest from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});

afterAll(() => api.stop());

const lineSchema = z.looseObject({ level: z.string(), message: z.string(), request_id: z.string() });

/** The line of the access log about this request. */
async function lineOf(requestId: unknown): Promise<Record<string, unknown>> {
  const find = () =>
    api.logLines
      .map((line) => lineSchema.parse(JSON.parse(line)))
      .find((line) => line.message === 'Request.' && line.request_id === requestId);
  await untilTrue('the request is logged', () => find() !== undefined);
  return find() ?? {};
}

test('a log line has the route, the tenant and the status of a request', async () => {
  const agent = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const response = await api.client.http
    .get(`/v1/agents/${agent.body.id}`)
    .set('X-Request-Id', 'from-the-client')
    .expect(200);
  expect(await lineOf(response.headers['x-request-id'])).toMatchObject({
    level: 'info',
    service: 'api',
    method: 'GET',
    route: '/v1/agents/:agent_id',
    status: 200,
    finished: true,
    duration_ms: expect.any(Number),
    client_request_id: 'from-the-client',
    tenant_id: api.client.tenantId,
  });
});

test('a request without a key is logged too', async () => {
  const response = await supertest(api.url).get('/v1/agents').expect(401);
  const line = await lineOf(response.headers['x-request-id']);
  expect(line).toMatchObject({ status: 401, route: null });
  expect(line).not.toHaveProperty('tenant_id');
});

test('probes are logged at the level debug only', async () => {
  const response = await supertest(api.url).get('/livez').expect(200);
  expect((await lineOf(response.headers['x-request-id']))['level']).toBe('debug');
});

test('a client cannot forge a log line, nor make it long', async () => {
  const response = await supertest(api.url)
    .get('/v1/nothing%0a{"level":"error"}')
    .set('X-Request-Id', `x"}\t${'y'.repeat(5_000)}`)
    .expect(404);
  const line = await lineOf(response.headers['x-request-id']);
  expect(String(line['client_request_id'])).toHaveLength(128);
  expect(JSON.stringify(line)).not.toContain('nothing');
});

test('no key, body, query or response is ever logged, even of a request that fails', async () => {
  const { http, apiKey } = await api.addTenant();
  const secret = 'correct-horse-battery-staple';
  const agent = await http
    .post('/v1/agents')
    .set('Idempotency-Key', `${secret}-key`)
    .send({
      name: `${secret}-name`,
      model: 'm',
      system: `${secret}-system`,
      metadata: { a: `${secret}-label` },
    })
    .expect(201);
  const body = { agent_id: agent.body.id, input: `${secret}-input` };
  const turn = await http.post('/v1/turns').set('Cookie', `a=${secret}-cookie`).send(body).expect(202);
  await http.get(`/v1/sessions/${turn.body.session_id}/messages`).expect(200);
  await http.get(`/v1/agents?cursor=${secret}-cursor&api_key=${apiKey}`).expect(400);
  await http.post('/v1/turns').set('Content-Type', 'application/json').send(`{"${secret}-broken`).expect(400);
  await http
    .post('/v1/turns')
    .send({ [`${secret}-field`]: secret })
    .expect(400);
  await supertest(api.url).get('/v1/agents').set('x-api-key', `${secret}-wrong`).expect(401);
  await http.get(`/v1/${secret}-path`).expect(404);
  await http.post('/v1/turns').set('Content-Type', `text/${secret}-type`).send('x').expect(415);
  // What fails inside is logged with the error, which knows the values that were to be stored.
  const { pool } = api.database;
  await pool.query(`ALTER TABLE messages ADD CONSTRAINT none CHECK (false) NOT VALID`);
  const failed = await http.post('/v1/turns').send(body).expect(500);
  await pool.query(`ALTER TABLE messages DROP CONSTRAINT none`);
  await lineOf(failed.headers['x-request-id']);

  const log = api.logLines.join('');
  expect(log).toContain('Request failed.');
  expect(log).not.toContain(secret);
  expect(log).not.toContain(apiKey);
  expect(log).not.toMatch(/tp_live_/);
});

test('a request whose client disconnected is logged as not finished', async () => {
  const agent = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turn = await api.client.http.post('/v1/turns').send({ agent_id: agent.body.id, input: 'Hi' });
  const client = new AbortController();
  const headers = { authorization: `Bearer ${api.client.apiKey}`, 'x-request-id': 'goes-away' };
  const gone = fetch(`${api.url}/v1/turns/${turn.body.id}?wait=60`, { headers, signal: client.signal });
  await untilTrue('it waits', () => api.waiters.count === 1);
  client.abort();
  await expect(gone).rejects.toThrow();
  const find = () => api.logLines.find((line) => line.includes('goes-away')) ?? '{}';
  await untilTrue('it is logged', () => find() !== '{}');
  expect(JSON.parse(find())).toMatchObject({ finished: false, route: '/v1/turns/:turn_id' });
});

test('of requests that succeed a share is logged, and each that fails', async () => {
  const quiet = await startTestApi(await createTestDatabase(), {
    backplaneUrl: process.env['TEST_REDIS_URL'],
    loggedRequests: 0,
  });
  try {
    await quiet.client.http.get('/v1/agents').expect(200);
    await quiet.client.http.get('/v1/agents/agent_00000000000000000000000000').expect(404);
    const lines = (): Record<string, unknown>[] =>
      quiet.logLines
        .map((line) => lineSchema.parse(JSON.parse(line)))
        .filter(({ message }) => message === 'Request.');
    await untilTrue('both are known', () => lines().length === 2);
    expect(lines()).toMatchObject([
      { level: 'debug', status: 200 },
      { level: 'info', status: 404 },
    ]);
  } finally {
    await quiet.stop();
  }
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Response, Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

let api: TestApi;
let agentId: string;
let turnId: string;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  const { http } = api.client;
  agentId = (await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body.id;
  turnId = (await startTurn().expect(202)).body.id;
  await api.dispatcher.settle();
});

afterAll(() => api.stop());

const startTurn = (): Test => api.client.http.post('/v1/turns').send({ agent_id: agentId, input: 'Hi' });

/** The response to a request whose database connection is terminated while its statement waits. */
async function cutOff(send: () => Test): Promise<Response> {
  // The key is cached from here on, so the next statement is the request's own.
  await api.client.http.get('/v1/turns?limit=1').expect(200);
  const blocker = await api.database.pool.connect();
  await blocker.query('BEGIN');
  await blocker.query('LOCK TABLE turns IN ACCESS EXCLUSIVE MODE');
  const response = send().then((it) => it);
  await untilTrue('it waits, and is terminated', async () => {
    // Not by the blocker: inside a transaction the view stays as it was first read.
    const { rows } = await api.database.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  });
  await blocker.query('ROLLBACK');
  blocker.release();
  return response;
}

test.each([
  ['a read', () => api.client.http.get(`/v1/turns/${turnId}`)],
  ['a long poll', () => api.client.http.get(`/v1/turns/${turnId}?wait=30`)],
  ['a submission', () => startTurn()],
  ['a submission with a key', () => startTurn().set('Idempotency-Key', 'cut-off')],
])('%s whose database connection breaks gets a retryable problem, and stores nothing', async (_, send) => {
  const before = await api.readAllRows();
  const response = await cutOff(send);
  expect([response.status, response.body.code]).toEqual([503, 'not_ready']);
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(response.headers['retry-after']).toBe('1');
  expect(response.text).not.toMatch(/terminat|57P01|postgres/i);
  expect(await api.readAllRows()).toEqual(before);
  expect(api.waiters.count).toBe(0);
});

test('and is accepted when it is sent again with its key', async () => {
  const response = await startTurn().set('Idempotency-Key', 'cut-off').expect(202);
  expect(response.headers['idempotent-replayed']).toBeUndefined();
});

test('an internal error has an id for the log, and no details', async () => {
  await api.database.pool.query(`ALTER TABLE events RENAME TO events_elsewhere`);
  try {
    const before = api.logLines.length;
    const response = await startTurn().expect(500);
    expect(response.body.code).toBe('internal_error');
    expect(response.text).not.toMatch(/events|relation|SELECT|\.ts|node_modules/);
    const line = api.logLines.slice(before).find((each) => each.includes('Request failed.')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      request_id: response.body.request_id,
      error: { message: 'relation "events" does not exist' },
    });
  } finally {
    await api.database.pool.query(`ALTER TABLE events_elsewhere RENAME TO events`);
  }
});

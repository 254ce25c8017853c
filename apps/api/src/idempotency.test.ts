import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import type { Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

let api: TestApi;
let agentId: string;
let key: string;
let keys = 0;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  const agent = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  agentId = agent.body.id;
});

beforeEach(() => {
  keys += 1;
  key = `key-${keys}`;
});

afterAll(() => api.stop());

const post = (path: string, body: object, client = api.client): Test =>
  client.http.post(path).set('Idempotency-Key', key).send(body);
const startTurn = (input = 'Hi'): Test => post('/v1/turns', { agent_id: agentId, input });

async function count(table: 'turns' | 'agents' | 'idempotency_records'): Promise<number> {
  const { rows } = await api.database.pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${table}`,
  );
  return rows[0]?.count ?? 0;
}

/** Holds the lock of this key, as a request that is executed does; returns a function that releases it. */
async function holdLock(path: string): Promise<() => Promise<void>> {
  const client = await api.database.pool.connect();
  const name = `${api.client.tenantId} POST ${path} ${key}`;
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [name]);
  return async () => {
    await client.query('ROLLBACK');
    client.release();
  };
}

test('a repeated request gets the same response, byte for byte, and nothing is executed twice', async () => {
  const first = await startTurn().expect(202);
  const rows = await api.readAllRows();
  const second = await startTurn().expect(202);

  expect(second.text).toBe(first.text);
  expect(first.headers['idempotent-replayed']).toBeUndefined();
  expect(second.headers['idempotent-replayed']).toBe('true');
  for (const name of ['location', 'retry-after', 'content-type', 'content-length', 'cache-control']) {
    expect([name, second.headers[name]]).toEqual([name, first.headers[name]]);
  }
  expect(second.headers['location']).toBe(`/v1/turns/${first.body.id}`);
  expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
  await api.dispatcher.settle();
  expect((await api.readAllRows())['turns']).toHaveLength(rows['turns']?.length ?? 0);
});

test('a replay is the first response, even after the turn has moved on', async () => {
  const first = await startTurn().expect(202);
  await playWorker(api, first.body.id);
  const second = await startTurn().expect(202);
  expect(second.text).toBe(first.text);
});

test('every POST is idempotent with a key', async () => {
  const session = await post('/v1/sessions', { agent_id: agentId }).expect(201);
  const requests: [string, object][] = [
    ['/v1/agents', { name: 'b', model: 'm' }],
    [`/v1/agents/${agentId}`, { model: 'newer' }],
    ['/v1/sessions', { agent_id: agentId }],
    [`/v1/sessions/${session.body.id}/turns`, { input: 'Hi' }],
    ['/v1/turns', { agent_id: agentId, input: 'Hi' }],
  ];
  for (const [path, body] of requests) {
    const first = await post(path, body);
    const second = await post(path, body);
    expect([path, second.status, second.text]).toEqual([path, first.status, first.text]);
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.headers['location']).toBe(first.headers['location']);
  }
});

test('a body with the same meaning is the same request', async () => {
  const first = await startTurn().expect(202);
  const text = `{ "input" : "\\u0048i",\n "agent_id":"${agentId}" }`;
  const second = await api.client.http
    .post('/v1/turns')
    .set({ 'Idempotency-Key': `"${key}"`, 'Content-Type': 'application/json' })
    .send(text);
  expect(second.text).toBe(first.text);
});

test('another body with the same key is refused, and the first response stays', async () => {
  const first = await startTurn('One').expect(202);
  const other = await startTurn('Two').expect(422);
  expect(other.body.code).toBe('idempotency_key_reused');
  expect((await startTurn('One')).text).toBe(first.text);
});

test('while a request is executed, another with its key is refused, and stores nothing', async () => {
  const letGo = await holdLock('/v1/turns');
  const before = await api.readAllRows();
  const refused = await startTurn().expect(409);
  expect(refused.body.code).toBe('idempotency_key_in_use');
  expect(refused.headers['retry-after']).toBe('1');
  expect(await api.readAllRows()).toEqual(before);
  await letGo();
  await startTurn().expect(202);
});

test('of many concurrent requests with one key, one is executed', async () => {
  const before = await count('turns');
  const responses = await Promise.all(Array.from({ length: 20 }, () => startTurn()));
  expect(await count('turns')).toBe(before + 1);
  const accepted = responses.filter((response) => response.status === 202);
  expect(new Set(accepted.map((response) => response.text)).size).toBe(1);
  expect(responses.filter((response) => response.status !== 202 && response.status !== 409)).toEqual([]);
  expect(accepted.filter((response) => response.headers['idempotent-replayed'] === undefined)).toHaveLength(
    1,
  );
});

test('a refused request has no record: its key may be used again', async () => {
  await post('/v1/turns', { agent_id: agentId }).expect(400);
  await post('/v1/turns', { agent_id: newId('agent'), input: 'Hi' }).expect(404);
  expect((await api.readAllRows())['idempotency_records']?.join('\n')).not.toContain(`,${key},`);
  const accepted = await startTurn().expect(202);
  expect(accepted.headers['idempotent-replayed']).toBeUndefined();
});

test('the same key on another path is another request', async () => {
  const session = await api.client.http.post('/v1/sessions').send({ agent_id: agentId }).expect(201);
  const other = await api.client.http.post('/v1/sessions').send({ agent_id: agentId }).expect(201);
  const one = await post(`/v1/sessions/${session.body.id}/turns`, { input: 'Hi' }).expect(202);
  const two = await post(`/v1/sessions/${other.body.id}/turns`, { input: 'Hi' }).expect(202);
  const three = await post('/v1/sessions', { agent_id: agentId }).expect(201);
  expect(two.body.session_id).toBe(other.body.id);
  expect(new Set([one.body.id, two.body.id, three.body.id]).size).toBe(3);
});

test("another tenant's key of the same name is another request", async () => {
  const stranger = await api.addTenant();
  const ours = await post('/v1/agents', { name: 'a', model: 'm' }).expect(201);
  const theirs = await post('/v1/agents', { name: 'a', model: 'm' }, stranger).expect(201);
  expect(theirs.body.id).not.toBe(ours.body.id);
  expect(theirs.headers['idempotent-replayed']).toBeUndefined();
});

test('an expired record is ignored and replaced', async () => {
  const first = await startTurn('One').expect(202);
  await api.database.pool.query(`UPDATE idempotency_records SET expires_at = now() WHERE key = $1`, [key]);
  const second = await startTurn('Two').expect(202);
  expect(second.body.id).not.toBe(first.body.id);
  expect((await startTurn('Two')).text).toBe(second.text);
});

test('a turn and its record are stored together or not at all', async () => {
  const before = await count('turns');
  await api.database.pool.query(
    `ALTER TABLE idempotency_records ADD CONSTRAINT nothing_new CHECK (false) NOT VALID`,
  );
  try {
    const failed = await startTurn().expect(500);
    expect(failed.body.code).toBe('internal_error');
    expect(failed.text).not.toContain('nothing_new');
    expect(await count('turns')).toBe(before);
  } finally {
    await api.database.pool.query(`ALTER TABLE idempotency_records DROP CONSTRAINT nothing_new`);
  }
  await startTurn().expect(202);
});

test('a turn is not visible before its record is', async () => {
  const before = { turns: await count('turns'), records: await count('idempotency_records') };
  const blocker = await api.database.pool.connect();
  await blocker.query('BEGIN');
  await blocker.query('LOCK TABLE idempotency_records IN SHARE MODE');
  const response = startTurn().then((accepted) => accepted);
  await untilTrue('the insert of the record waits for its table', async () => {
    const { rows } = await api.database.pool.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  });
  expect(await count('turns')).toBe(before.turns);
  await blocker.query('ROLLBACK');
  blocker.release();
  expect((await response).status).toBe(202);
  expect(await count('turns')).toBe(before.turns + 1);
  expect(await count('idempotency_records')).toBe(before.records + 1);
});

test('without a key, the same body twice is two turns', async () => {
  const send = () => api.client.http.post('/v1/turns').send({ agent_id: agentId, input: 'Hi' });
  const [one, two] = [await send(), await send()];
  expect(one.body.id).not.toBe(two.body.id);
});

test('what a request created and was deleted since is neither shown nor created again', async () => {
  const { http } = api.client;
  const turn = await startTurn().expect(202);
  const session = turn.body.session_id;
  const inside = await post(`/v1/sessions/${session}/turns`, { input: 'Next' }).expect(202);
  const made: Record<string, { path: string; body: object }> = {
    agents: { path: '/v1/agents', body: { name: 'b', model: 'm' } },
    tools: {
      path: '/v1/tools',
      body: { name: 'gone', description: 'd', url: 'https://a.invalid/', input_schema: { type: 'object' } },
    },
    webhook_endpoints: { path: '/v1/webhook_endpoints', body: { url: 'https://a.invalid/' } },
    sessions: { path: '/v1/sessions', body: { agent_id: agentId } },
  };
  for (const [kind, { path, body }] of Object.entries(made)) {
    const { id } = (await post(path, body).expect(201)).body;
    await post(path, body).expect(201);
    await http.delete(`/v1/${kind}/${id}`).expect(204);
  }
  const cancel = `/v1/turns/${inside.body.id}/cancel`;
  await post(cancel, {}).expect(202);
  await http.delete(`/v1/sessions/${session}`).expect(204);
  const before = await api.readAllRows();

  const again = [
    await startTurn(),
    await post(`/v1/sessions/${session}/turns`, { input: 'Next' }),
    await post(cancel, {}),
    ...(await Promise.all(Object.values(made).map(({ path, body }) => post(path, body)))),
  ];
  for (const { status, body, text } of again) {
    expect([status, body.code]).toEqual([410, 'result_deleted']);
    expect(text).not.toContain('session_id');
  }
  expect(await api.readAllRows()).toEqual(before);
});

test('what a request was about may be revoked: its replay is the same', async () => {
  const { http } = api.client;
  const body = { name: 'k', scopes: ['turns:read'] };
  const made = await post('/v1/api_keys', body).expect(201);
  await http.delete(`/v1/api_keys/${made.body.id}`).expect(204);
  const again = await post('/v1/api_keys', body).expect(201);
  expect(again.body.id).toBe(made.body.id);
});

/** Text that cannot be compressed. */
const noise = (bytes: number): string => randomBytes(bytes).toString('base64');
const bytesOfRecord = async (): Promise<number> => {
  const { rows } = await api.database.pool.query(
    'SELECT max(pg_column_size(records.*)) AS bytes FROM idempotency_records AS records WHERE key = $1',
    [key],
  );
  return rows[0].bytes;
};

test('a large response is replayed byte for byte, and what it shows is not stored a second time', async () => {
  const tool = { type: 'client', name: 'c', description: noise(700), input_schema: { type: 'object' } };
  const agent = {
    name: 'large',
    model: 'm',
    system: noise(100_000),
    tools: Array.from({ length: 20 }, (_, n) => ({ ...tool, name: `c${n}` })),
    stop_sequences: ['END'],
    metadata: { 1: 'b', a: 'c' },
  };
  const created = await post('/v1/agents', agent);
  expect([created.status, created.body.errors]).toEqual([201, undefined]);
  const path = `/v1/agents/${created.body.id}`;
  expect(await bytesOfRecord()).toBeLessThan(2_000);
  await api.client.http.post(path).send({ system: 'Short.' }).expect(200);
  const again = await post('/v1/agents', agent).expect(201);
  expect([again.text === created.text, again.headers['idempotent-replayed']]).toEqual([true, 'true']);

  const restored = await post(`${path}/versions/1/restore`, {}).expect(200);
  const unchanged = await post(path, { name: 'large' }).expect(200);
  expect(unchanged.body.version).toBe(3);
  expect(await bytesOfRecord()).toBeLessThan(2_000);
  await api.client.http.post(path).send({ tools: null }).expect(200);
  expect((await post(`${path}/versions/1/restore`, {}).expect(200)).text === restored.text).toBe(true);
  expect((await post(path, { name: 'large' }).expect(200)).text === unchanged.text).toBe(true);
});

test('the output of a turn is in no idempotency record', async () => {
  const { id } = (await startTurn().expect(202)).body;
  await playWorker(api, id);
  await api.database.pool.query('UPDATE turns SET output = $2::jsonb WHERE id = $1', [
    id,
    JSON.stringify([{ type: 'text', text: noise(200_000) }]),
  ]);
  const first = await post(`/v1/turns/${id}/cancel`, {}).expect(202);
  expect(first.text.length).toBeGreaterThan(200_000);
  expect(await bytesOfRecord()).toBeLessThan(3_000);
  expect((await post(`/v1/turns/${id}/cancel`, {}).expect(202)).text === first.text).toBe(true);
  const { http } = api.client;
  await http.delete(`/v1/sessions/${first.body.session_id}`).expect(204);
  expect((await post(`/v1/turns/${id}/cancel`, {}).expect(410)).body.code).toBe('result_deleted');
});

test('a large response that shows what may change is stored compressed, and replayed byte for byte', async () => {
  const tool = {
    name: 'lookup',
    description: 'Looks things up. '.repeat(100),
    input_schema: { type: 'object', properties: Object.fromEntries(manyProperties()) },
    url: 'https://tools.example/',
  };
  const { signing_secret: _shownOnce, ...shown } = (await post('/v1/tools', tool).expect(201)).body;
  expect(JSON.stringify(shown).length).toBeGreaterThan(20_000);
  expect(await bytesOfRecord()).toBeLessThan(6_000);
  const { name: _name, ...update } = tool;
  await api.client.http
    .post(`/v1/tools/${shown.id}`)
    .send({ ...update, description: 'Other.' })
    .expect(200);
  expect((await post('/v1/tools', tool).expect(201)).text).toBe(JSON.stringify(shown));
  // Also as one of a group of submits.
  const metadata = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`k${n}`, 'é'.repeat(512)]));
  const submit = (): Test => post('/v1/turns', { agent_id: agentId, input: 'Hi', metadata });
  const turn = await submit().expect(202);
  expect(await bytesOfRecord()).toBeLessThan(3_000);
  expect((await submit().expect(202)).text).toBe(turn.text);
});

const manyProperties = (): [string, object][] =>
  Array.from({ length: 300 }, (_, n) => [
    `property_${n}`,
    { type: 'string', description: `The property ${n}.` },
  ]);

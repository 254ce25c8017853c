import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId, type Turn } from '@turnpike/contract';
import { changeLimits, claimTurn } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { playWorker } from '../testing/play-worker.ts';
import { startTestApi, type Client, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

async function agentOf({ http }: Client): Promise<string> {
  return (await http.post('/v1/agents').send({ name: 'a', model: 'claude-sonnet-4-5' }).expect(201)).body.id;
}

async function runTurn(client: Client, rounds = 0): Promise<Turn> {
  const body = { agent_id: await agentOf(client), input: 'Hi' };
  const turn: Turn = (await client.http.post('/v1/turns').send(body).expect(202)).body;
  await playWorker(api, turn.id, rounds);
  return turn;
}

const fork = (client: Client, sessionId: string, body: object) =>
  client.http.post(`/v1/sessions/${sessionId}/fork`).send(body);

test('a turn that runs is copied up to a step that is committed, and not as a whole', async () => {
  const client = await api.addTenant();
  const done = await runTurn(client, 1);
  const next: Turn = (
    await client.http.post(`/v1/sessions/${done.session_id}/turns`).send({ input: 'More' }).expect(202)
  ).body;
  await api.dispatcher.settle();
  const claim = { turnId: next.id, epoch: 0, from: TRANSITIONS.claim.from, workerId: 'w', leaseMs: 60_000 };
  expect(await claimTurn(api.database.pool, claim)).not.toBeNull();
  const refused = await fork(client, done.session_id, { after_turn_id: next.id }).expect(409);
  expect(refused.body.code).toBe('turn_not_ended');
  await fork(client, done.session_id, { after_turn_id: next.id, after_step: 0 }).expect(400);
  // What it was asked can be copied: it does not change any more.
  const messages = (await client.http.get(`/v1/sessions/${done.session_id}/messages`)).body.items;
  const asked = await fork(client, done.session_id, { after_message_id: messages.at(-1).id }).expect(201);
  expect(asked.body).toMatchObject({ turn_count: 2, forked_from: { turn_id: next.id, step_index: -1 } });
  const whole = await fork(client, done.session_id, {}).expect(201);
  expect(whole.body).toMatchObject({ turn_count: 1, forked_from: { turn_id: done.id, step_index: null } });
});

test('what a fork names must be of its session, and a request with a key makes one fork', async () => {
  const client = await api.addTenant();
  const [one, other] = [await runTurn(client), await runTurn(client)];
  await fork(client, one.session_id, { after_turn_id: other.id }).expect(404);
  await fork(client, one.session_id, { after_message_id: newId('message') }).expect(404);
  await fork(client, one.session_id, { agent_id: newId('agent') }).expect(404);
  await fork(client, newId('session'), {}).expect(404);
  const theirs = await api.addTenant();
  await fork(theirs, one.session_id, {}).expect(404);
  await theirs.http.post(`/v1/turns/${one.id}/rerun`).send({}).expect(404);
  const first = await fork(client, one.session_id, {}).set('Idempotency-Key', 'k').expect(201);
  const second = await fork(client, one.session_id, {}).set('Idempotency-Key', 'k').expect(201);
  expect(second.body).toEqual(first.body);
  const { body } = await client.http.get(`/v1/sessions?forked_from=${one.session_id}`).expect(200);
  expect(body.items).toEqual([first.body]);
  await client.http.delete(`/v1/agents/${one.agent_id}`).expect(204);
  expect((await fork(client, one.session_id, {}).expect(409)).body.code).toBe('agent_deleted');
  const moved = await fork(client, one.session_id, { agent_id: other.agent_id }).expect(201);
  expect(moved.body.agent_id).toBe(other.agent_id);
});

test('a fork and a rerun count as sessions, and are bounded in size', async () => {
  const client = await api.addTenant();
  // Before its first request: what a process knows of a tenant is some seconds old.
  await changeLimits(api.database.pool, client.tenantId, { max_sessions: 2 });
  const turn = await runTurn(client);
  await fork(client, turn.session_id, {}).expect(201);
  expect((await fork(client, turn.session_id, {}).expect(409)).body.code).toBe('session_limit');
  const rerun = await client.http.post(`/v1/turns/${turn.id}/rerun`).send({}).expect(409);
  expect(rerun.body.code).toBe('session_limit');
  const other = await api.addTenant();
  const long = await runTurn(other);
  await api.database.pool.query(
    `INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
     SELECT $1, 10 + n, turnpike_new_id('msg'), $2, $3, 1, 'user', '[]' FROM generate_series(0, 10000) AS n`,
    [long.id, other.tenantId, long.session_id],
  );
  expect((await fork(other, long.session_id, {}).expect(409)).body.code).toBe('session_too_large');
});

test('a copy is as old as its original: it has no events, no webhook tells of it, and its id sorts like that of the original', async () => {
  const client = await api.addTenant();
  const endpoint = { url: 'https://hooks.example/', events: ['turn.queued', 'turn.completed'] };
  await client.http.post('/v1/webhook_endpoints').send(endpoint).expect(201);
  const turn = await runTurn(client, 2);
  const deliveries = async (): Promise<number> =>
    (await client.http.get('/v1/deliveries').expect(200)).body.items.length;
  const before = await deliveries();
  const day = 24 * 60 * 60 * 1000;
  const old = await api.database.pool.query<{ id: string }>(
    `UPDATE turns SET created_at = now() - interval '40 days', finished_at = now() - interval '40 days'
     WHERE id = $1 RETURNING id`,
    [turn.id],
  );
  expect(old.rowCount).toBe(1);
  const made = (await fork(client, turn.session_id, {}).expect(201)).body;
  const [copy] = (await client.http.get(`/v1/turns?session_id=${made.id}`).expect(200)).body.items;
  expect(copy.id.slice(0, 15)).toBe(turn.id.slice(0, 15));
  expect(Date.parse(copy.finished_at)).toBeLessThan(Date.now() - 39 * day);
  const events = await client.http.get(`/v1/turns/${copy.id}/events`).expect(204);
  expect(events.text).toBe('');
  expect(await deliveries()).toBe(before);
});

test('copies cost nothing: the ledger has no entry of them, and usage does not count them', async () => {
  const client = await api.addTenant();
  const turn = await runTurn(client, 1);
  const usage = async (): Promise<unknown> => (await client.http.get('/v1/usage').expect(200)).body;
  const before = await usage();
  const made = (await fork(client, turn.session_id, {}).expect(201)).body;
  expect(await usage()).toEqual(before);
  const [copy] = (await client.http.get(`/v1/turns?session_id=${made.id}`).expect(200)).body.items;
  const steps = (await client.http.get(`/v1/turns/${copy.id}/steps`).expect(200)).body.items;
  expect(
    steps.map((step: { type: string; usage: { input_tokens: number } }) => [
      step.type,
      step.usage.input_tokens,
    ]),
  ).toEqual([
    ['model_call', 0],
    ['tool_calls', 0],
    ['model_call', 0],
  ]);
  expect(steps[0].tool_calls).toMatchObject([{ name: 'current_time', status: 'completed' }]);
});

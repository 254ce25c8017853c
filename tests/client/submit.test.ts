import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Turnpike, TurnpikeApiError, TurnpikeConnectionError, type Turn } from '@turnpike/client';
import { startTestApi, type TestApi } from '../../apps/api/src/testing/test-api.ts';
import { playWorker } from '../../apps/api/src/testing/play-worker.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { untilTrue } from '../support/until-true.ts';
import { startLossyProxy, type LossyProxy } from './support/lossy-proxy.ts';

let api: TestApi;
let proxy: LossyProxy;
let turnpike: Turnpike;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  proxy = await startLossyProxy(api.url);
  turnpike = new Turnpike({ baseUrl: proxy.url, apiKey: api.client.apiKey });
  agentId = (await turnpike.agents.create({ name: 'a', model: 'm' })).id;
});
afterEach(() => proxy.loseResponses(0));
afterAll(async () => {
  await proxy.stop();
  await api.stop();
});

async function turnsWith(mark: string): Promise<Turn[]> {
  const turns: Turn[] = [];
  for await (const turn of turnpike.turns.list({ limit: 100 })) {
    if (turn.metadata['mark'] === mark) turns.push(turn);
  }
  return turns;
}

test.each([0, 40, 400])(
  'responses that are lost, or cut off after %d bytes, make no second turn',
  async (passBytes) => {
    const mark = randomUUID();
    const before = proxy.lost;
    proxy.loseResponses(3, passBytes);
    const turn = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi', metadata: { mark } });
    expect(proxy.lost - before).toBe(3);
    expect(turn).toMatchObject({ object: 'turn', status: 'queued', metadata: { mark } });
    expect((await turnsWith(mark)).map(({ id }) => id)).toEqual([turn.id]);
  },
);

test('a submission without a response is found again by its idempotency key', async () => {
  const mark = randomUUID();
  const submission = { agent_id: agentId, input: 'Hi', metadata: { mark } };
  const once = { idempotencyKey: mark, maxRetries: 0 };
  proxy.loseResponses(1);
  await expect(turnpike.turns.submit(submission, once)).rejects.toBeInstanceOf(TurnpikeConnectionError);
  const turn = await turnpike.turns.submit(submission, once);
  expect((await turnsWith(mark)).map(({ id }) => id)).toEqual([turn.id]);
});

test('a request with the same key that is under way is waited for', async () => {
  const idempotencyKey = randomUUID();
  const client = await api.database.pool.connect();
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [
    `${api.client.tenantId} POST /v1/turns ${idempotencyKey}`,
  ]);
  let answers = 0;
  const counting = new Turnpike({
    baseUrl: api.url,
    apiKey: api.client.apiKey,
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (response.status === 409) answers += 1;
      return response;
    },
    maxRetries: 20,
  });
  const submitted = counting.turns.submit({ agent_id: agentId, input: 'Hi' }, { idempotencyKey });
  await untilTrue('it got the response that the key is in use', () => answers > 0);
  await client.query('ROLLBACK');
  client.release();
  expect(await submitted).toMatchObject({ status: 'queued' });
});

test('errors of the service come typed, with what is wrong and the id of the request', async () => {
  const error = await turnpike.turns
    .submit({ agent_id: agentId, input: '  ', deadline_ms: 1 })
    .catch((caught: unknown) => caught);
  if (!(error instanceof TurnpikeApiError)) throw new Error('It is of another class.');
  expect(error).toMatchObject({ status: 400, code: 'invalid_request' });
  expect(error.requestId).toMatch(/^req_/);
  expect(error.errors.map(({ path }) => path).toSorted()).toEqual(['deadline_ms', 'input']);

  const first = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  const second = turnpike.turns.submit({
    session_id: first.session_id,
    input: 'Hi',
    multitask_strategy: 'reject',
  });
  await expect(second).rejects.toMatchObject({ code: 'session_busy', blockingTurnId: first.id });
});

test('lists give all there is, page after page, and a loop may stop where it likes', async () => {
  const { session_id: sessionId, id } = await turnpike.turns.submit({ agent_id: agentId, input: '1' });
  const ids = [id];
  for (const input of ['2', '3', '4', '5'])
    ids.push((await turnpike.turns.submit({ session_id: sessionId, input })).id);
  const listed: string[] = [];
  for await (const turn of turnpike.turns.list({ session_id: sessionId, limit: 2 })) listed.push(turn.id);
  expect(listed).toEqual(ids.toReversed());
  const pages = turnpike.turns.list({ session_id: sessionId, limit: 3 });
  for await (const turn of pages) {
    expect(turn.id).toBe(ids[4]);
    break;
  }
  const page = await pages.page();
  expect(page.items).toHaveLength(3);
  expect((await pages.page(page.next_cursor ?? '')).items.map((turn) => turn.id)).toEqual([ids[1], ids[0]]);

  await playWorker(api, id, 2);
  const steps: string[] = [];
  for await (const step of turnpike.turns.steps(id, { limit: 2 })) steps.push(step.type);
  expect(steps).toEqual(['model_call', 'tool_calls', 'model_call', 'tool_calls', 'model_call']);
  const said: string[] = [];
  for await (const { role } of turnpike.sessions.messages(sessionId, { limit: 1 })) said.push(role);
  expect(said.slice(0, 2)).toEqual(['user', 'assistant']);
});

test('each resource is made, read, listed, changed and deleted, and what was deleted by a lost try is gone', async () => {
  const agent = await turnpike.agents.create({ name: 'b', model: 'm' });
  expect(await turnpike.agents.update(agent.id, { model: 'newer' })).toMatchObject({ version: 2 });
  expect(await turnpike.agents.get(agent.id)).toMatchObject({ model: 'newer' });
  proxy.loseResponses(1);
  expect(await turnpike.agents.delete(agent.id)).toBeUndefined();
  await expect(turnpike.agents.delete(agent.id)).rejects.toMatchObject({ code: 'not_found' });

  const session = await turnpike.sessions.create({ agent_id: agentId });
  expect(await turnpike.sessions.get(session.id)).toEqual(session);
  expect((await turnpike.sessions.list({ agent_id: agentId }).page()).items[0]).toEqual(session);
  await turnpike.sessions.delete(session.id);

  expect(await turnpike.secrets.put('crm_token', 'a-long-enough-value')).toMatchObject({ version: 1 });
  expect(await turnpike.secrets.get('crm_token')).toMatchObject({ name: 'crm_token' });
  expect((await turnpike.secrets.list().page()).items).toHaveLength(1);
  await turnpike.secrets.delete('crm_token');

  const input_schema = { type: 'object' as const, properties: {} };
  const config = { description: 'A tool.', input_schema, url: 'https://tools.example.com/a' };
  const tool = await turnpike.tools.create({ name: 'crm', ...config });
  expect(tool.signing_secret).toMatch(/^whsec_/);
  expect(await turnpike.tools.update(tool.id, { ...config, effect: 'read' })).toMatchObject({
    effect: 'read',
  });
  expect(await turnpike.tools.get(tool.id)).not.toHaveProperty('signing_secret');
  expect((await turnpike.tools.list().page()).items).toHaveLength(1);
  await turnpike.tools.delete(tool.id);

  const key = await turnpike.apiKeys.create({ name: 'k', scopes: ['turns:read'] });
  const reader = new Turnpike({ baseUrl: api.url, apiKey: key.key ?? '' });
  expect((await reader.turns.list({ limit: 1 }).page()).items).toHaveLength(1);
  await expect(reader.turns.submit({ agent_id: agentId, input: 'Hi' })).rejects.toMatchObject({
    status: 403,
    code: 'insufficient_scope',
  });
  expect((await turnpike.apiKeys.rotate(key.id)).key).toMatch(/^tp_live_/);
  await turnpike.apiKeys.revoke(key.id);
  proxy.loseResponses(1);
  // Its first response was lost, and with it the key, which cannot be read again.
  expect((await turnpike.apiKeys.create({ name: 'lost', scopes: ['turns:read'] })).key).toBeUndefined();
});

test('webhooks, limits, money and model settings are read and changed', async () => {
  const url = 'http://127.0.0.1:9/hook';
  const endpoint = await turnpike.webhookEndpoints.create({ url });
  expect(endpoint.signing_secret).toMatch(/^whsec_/);
  const { id } = endpoint;
  expect(await turnpike.webhookEndpoints.update(id, { description: 'Mine.' })).toMatchObject({ url });
  expect(await turnpike.webhookEndpoints.get(id)).toMatchObject({ description: 'Mine.' });
  expect((await turnpike.webhookEndpoints.rotate(id)).signing_secret).not.toBe(endpoint.signing_secret);
  expect((await turnpike.webhookEndpoints.rotateSecretOfTurns()).signing_secret).toMatch(/^whsec_/);
  const delivery = await turnpike.webhookEndpoints.ping(id);
  expect((await turnpike.webhookEndpoints.deliveries(id, { type: 'ping' }).page()).items).toEqual([delivery]);
  expect((await turnpike.deliveries.list({ limit: 1 }).page()).items).toEqual([delivery]);
  expect(await turnpike.deliveries.get(delivery.id)).toMatchObject({ attempt_log: [] });
  expect(await turnpike.deliveries.redeliver(delivery.id)).toMatchObject({ id: delivery.id });
  const since = new Date(Date.now() - 1_000).toISOString();
  expect(await turnpike.webhookEndpoints.redeliver(id, { since })).toMatchObject({ redelivered: 0 });
  expect((await turnpike.webhookEndpoints.list().page()).items).toHaveLength(1);
  await turnpike.webhookEndpoints.delete(id);

  expect(await turnpike.limits.get()).toMatchObject({ object: 'limits', weight: 1 });
  expect(await turnpike.budgets.set('day', 5_000_000)).toMatchObject({ limit_micros: 5_000_000 });
  expect((await turnpike.budgets.list().page()).items).toMatchObject([{ period: 'day', set_by: 'tenant' }]);
  await turnpike.budgets.delete('day');
  expect(await turnpike.usage.get({ group_by: ['day', 'model'] })).toMatchObject({ object: 'usage_report' });
  expect(await turnpike.usage.get({ group_by: [] })).toMatchObject({ object: 'usage_report' });
  await turnpike.secrets.put('anthropic', 'sk-ant-test-0123456789');
  expect(await turnpike.modelSettings.put({ keys: ['anthropic'] })).toMatchObject({ keys: ['anthropic'] });
  expect(await turnpike.modelSettings.get()).toMatchObject({ keys: ['anthropic'] });

  const session = await turnpike.sessions.create({ agent_id: agentId });
  expect(await turnpike.sessions.update(session.id, { budget_micros: 1_000 })).toMatchObject({
    budget_micros: 1_000,
  });
  const turn = await turnpike.turns.submit({ session_id: session.id, input: 'Hi', priority: 1 });
  await expect(turnpike.turns.resume(turn.id)).rejects.toMatchObject({ code: 'not_resumable' });
});

test('a turn is cancelled, once, also where the answer is lost', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  proxy.loseResponses(1);
  expect(await turnpike.turns.cancel(id)).toMatchObject({ status: 'cancelled' });
  expect(await turnpike.turns.wait(id)).toMatchObject({ status: 'cancelled' });
});

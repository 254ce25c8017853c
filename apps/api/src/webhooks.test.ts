import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi, type Client } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

const HOOKS = '/v1/webhook_endpoints';
const URL_ = 'https://hooks.example.com/turnpike';

async function makeEndpoint(
  { http }: Client,
  more: object = {},
): Promise<{ id: string; signing_secret: string }> {
  return (
    await http
      .post(HOOKS)
      .send({ url: URL_, ...more })
      .expect(201)
  ).body;
}

/** Submits a turn and ends it. */
async function endTurn({ http }: Client, more: object = {}): Promise<string> {
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turn = await http
    .post('/v1/turns')
    .send({ agent_id: agent.body.id, input: 'Hi', ...more })
    .expect(202);
  await playWorker(api, turn.body.id);
  return turn.body.id;
}

test('an endpoint is created with a secret that is shown once, stored encrypted, and replaced by a rotation', async () => {
  const { http } = api.client;
  const made = await http.post(HOOKS).set('Idempotency-Key', 'one').send({ url: URL_ }).expect(201);
  expect(made.body).toMatchObject({
    object: 'webhook_endpoint',
    url: URL_,
    enabled: true,
    disabled_reason: null,
  });
  expect(made.body.events).not.toContain('turn.queued');
  expect(made.body.events).toContain('turn.completed');
  expect(made.headers['location']).toBe(`${HOOKS}/${made.body.id}`);
  const secret: string = made.body.signing_secret;
  expect(Buffer.from(secret.replace('whsec_', ''), 'base64')).toHaveLength(32);
  const replay = await http.post(HOOKS).set('Idempotency-Key', 'one').send({ url: URL_ }).expect(201);
  expect(replay.body).toEqual({ ...made.body, signing_secret: undefined });

  const rotated = await http.post(`${HOOKS}/${made.body.id}/rotate`).send({}).expect(200);
  expect(rotated.body.signing_secret).not.toBe(secret);
  for (const text of [secret, rotated.body.signing_secret]) {
    expect(JSON.stringify(await api.readAllRows())).not.toContain(text);
    expect(api.logLines.join('')).not.toContain(text);
  }
  expect((await http.get(`${HOOKS}/${made.body.id}`).expect(200)).body).not.toHaveProperty('signing_secret');
});

test.each([
  'http://hooks.example.com/',
  'https://user:password@hooks.example.com/',
  'https://127.0.0.2/',
  'https://2130706434/',
  'https://[::1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://169.254.169.254/latest/meta-data',
  'https://100.64.0.1/',
  'https://hooks.example.com:22/',
  'ftp://hooks.example.com/',
  'file:///etc/passwd',
  `https://hooks.example.com/${'x'.repeat(2_000)}`,
  'hooks.example.com',
])('%s is refused as the URL of an endpoint, of a change, and of a turn', async (url) => {
  const { http } = api.client;
  const { id } = await makeEndpoint(api.client);
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const session = await http.post('/v1/sessions').send({ agent_id: agent.body.id }).expect(201);
  const input = 'Hi';
  const responses = [
    await http.post(HOOKS).send({ url }),
    await http.post(`${HOOKS}/${id}`).send({ url }),
    await http.post('/v1/turns').send({ agent_id: agent.body.id, input, webhook_url: url }),
    await http.post(`/v1/sessions/${session.body.id}/turns`).send({ input, webhook_url: url }),
  ];
  for (const { status, body } of responses) {
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.errors).toEqual([{ path: expect.stringMatching(/url$/), message: expect.any(String) }]);
  }
  await http.delete(`${HOOKS}/${id}`).expect(204);
});

test('http is accepted for an address that the operator allows, and for no other', async () => {
  await makeEndpoint(api.client, { url: 'http://127.0.0.1:4010/' });
  await api.client.http.post(HOOKS).send({ url: 'http://127.0.0.2:4010/' }).expect(400);
});

test('an endpoint is changed in parts, disabled and enabled', async () => {
  const { http } = api.client;
  const { id } = await makeEndpoint(api.client, { events: ['turn.failed'], description: 'One.' });
  const change = (body: object) => http.post(`${HOOKS}/${id}`).send(body).expect(200);
  expect((await change({ description: 'Two.' })).body).toMatchObject({
    events: ['turn.failed'],
    description: 'Two.',
    enabled: true,
  });
  expect((await change({ enabled: false })).body).toMatchObject({
    enabled: false,
    disabled_reason: 'requested',
  });
  expect((await change({ description: 'Three.' })).body).toMatchObject({ disabled_reason: 'requested' });
  const ping = await http.post(`${HOOKS}/${id}/ping`).expect(409);
  expect(ping.body.code).toBe('webhook_endpoint_disabled');
  expect((await change({ enabled: true })).body).toMatchObject({ enabled: true, disabled_at: null });
  await http.post(`${HOOKS}/${id}`).send({ events: [] }).expect(400);
  await http
    .post(`${HOOKS}/${id}`)
    .send({ events: ['step.completed'] })
    .expect(400);
});

test('a tenant has at most fifty endpoints, however many are asked for at once', async () => {
  const client = await api.addTenant();
  const responses = await Promise.all(
    Array.from({ length: 60 }, () => client.http.post(HOOKS).send({ url: URL_ })),
  );
  const made = responses.filter(({ status }) => status === 201);
  expect(made).toHaveLength(50);
  expect(responses.find(({ status }) => status !== 201)?.body.code).toBe('webhook_endpoint_limit');
  await client.http.delete(`${HOOKS}/${made[0]?.body.id}`).expect(204);
  await makeEndpoint(client);
});

test('deliveries are listed by endpoint, turn, status and type, and redelivered one by one or by time', async () => {
  const client = await api.addTenant();
  const { http } = client;
  const { id } = await makeEndpoint(client, { events: ['turn.completed'] });
  const turnId = await endTurn(client, { webhook_url: 'https://other.example.com/hook' });
  await http.post(`${HOOKS}/${id}/ping`).expect(202);

  const list = async (path: string): Promise<Record<string, unknown>[]> =>
    (await http.get(path).expect(200)).body.items;
  expect(await list(`${HOOKS}/${id}/deliveries`)).toMatchObject([
    { type: 'ping', turn_id: null, url: URL_, status: 'pending', attempts: 0 },
    { type: 'turn.completed', turn_id: turnId, webhook_endpoint_id: id },
  ]);
  expect(await list(`${HOOKS}/${id}/deliveries?type=ping`)).toHaveLength(1);
  expect(await list(`${HOOKS}/${id}/deliveries?status=dead`)).toEqual([]);
  const ofTurn = await list(`/v1/deliveries?turn_id=${turnId}`);
  const urls = ofTurn.map((delivery) => String(delivery['url']));
  expect(urls.toSorted()).toEqual(['https://hooks.example.com/turnpike', 'https://other.example.com/hook']);
  const [first, second] = await list('/v1/deliveries?limit=2');
  expect(await list(`/v1/deliveries?cursor=${String(second?.['id'])}`)).toHaveLength(1);
  expect(first?.['id']).not.toBe(second?.['id']);

  await api.database.pool.query(
    `UPDATE deliveries SET status = 'dead', tries = 4, attempts = 4 WHERE tenant_id = $1`,
    [client.tenantId],
  );
  const again = await http.post(`/v1/deliveries/${String(ofTurn[0]?.['id'])}/redeliver`).expect(202);
  expect(again.body).toMatchObject({ status: 'pending', attempts: 4, next_attempt_at: expect.any(String) });
  const day = 24 * 60 * 60 * 1000;
  const range = (from: number, to: number) =>
    http
      .post(`${HOOKS}/${id}/redeliver`)
      .send({ since: new Date(from).toISOString(), until: new Date(to).toISOString() });
  const now = Date.now();
  expect((await range(now - 2 * day, now - day).expect(202)).body).toMatchObject({
    redelivered: 0,
    through: null,
  });
  await range(now - 40 * day, now).expect(400);
  await range(now, now - 1).expect(400);
  const left = (await list(`${HOOKS}/${id}/deliveries?status=dead`)).length;
  expect((await range(now - day, now + day).expect(202)).body).toMatchObject({ redelivered: left });
  expect(await list(`${HOOKS}/${id}/deliveries?status=dead`)).toEqual([]);
  await http.post(`/v1/deliveries/${newId('delivery')}/redeliver`).expect(404);
});

test('the deliveries of an erased session are erased with it', async () => {
  const client = await api.addTenant();
  await makeEndpoint(client);
  const turnId = await endTurn(client);
  const { body } = await client.http.get(`/v1/turns/${turnId}`).expect(200);
  expect((await client.http.get('/v1/deliveries')).body.items).toHaveLength(1);
  await client.http.delete(`/v1/sessions/${body.session_id}`).expect(204);
  expect((await client.http.get('/v1/deliveries')).body.items).toEqual([]);
});

test('an unreadable endpoint never fails a submit without a webhook', async () => {
  const client = await api.addTenant();
  const { id } = await makeEndpoint(client);
  // An endpoint with a URL that the API would not accept.
  await api.database.pool.query(`UPDATE webhook_endpoints SET url = 'nonsense' WHERE id = $1`, [id]);
  const turnId = await endTurn(client);
  expect((await client.http.get(`/v1/turns/${turnId}`)).body.status).toBe('completed');
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createdToolSchema, newId, toolSchema } from '@turnpike/contract';
import { claimTurn } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import type { Test } from 'supertest';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
let names = 0;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

const config = {
  description: 'Tells the weather.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  url: 'https://tools.example/weather',
};
const freshName = (): string => `tool_${(names += 1)}`;
const post = (body: object, client = api.client): Test => client.http.post('/v1/tools').send(body);
const create = async (change: object = {}, client = api.client): Promise<{ id: string; name: string }> =>
  createdToolSchema.parse((await post({ ...config, name: freshName(), ...change }, client).expect(201)).body);

test('a tool is registered with its defaults, and its signing secret is shown once', async () => {
  const name = freshName();
  const { body, headers } = await post({ ...config, name }).expect(201);
  expect(createdToolSchema.parse(body)).toMatchObject({
    ...config,
    name,
    object: 'tool',
    method: 'POST',
    headers: {},
    effect: 'idempotent',
    on_unknown: 'tell_model',
    timeout_ms: 30_000,
    max_output_bytes: 65_536,
  });
  expect(body.signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(headers['location']).toBe(`/v1/tools/${body.id}`);

  const read = await api.client.http.get(`/v1/tools/${body.id}`).expect(200);
  const { signing_secret: _, ...shown } = body;
  expect(read.body).toEqual(shown);
  expect(toolSchema.safeParse(read.body).success).toBe(true);
});

test('the signing secret is in no row and no log line, and is decrypted only for its tool', async () => {
  const { body } = await post({ ...config, name: freshName() }).expect(201);
  const secret: string = body.signing_secret;
  for (const text of [JSON.stringify(await api.readAllRows()), api.logLines.join('')]) {
    expect(text).not.toContain(secret.slice('whsec_'.length));
  }
  const row = await api.database.prisma.tool.findUniqueOrThrow({ where: { id: body.id } });
  const sealed = {
    name: row.id,
    field: 'signing_secret',
    version: row.signingVersion,
    envelope: row.signingEnvelope,
  };
  expect((await api.secretBox.open(api.client.tenantId, sealed)).reveal()).toBe(secret);
  await expect(
    api.secretBox.open(api.client.tenantId, { ...sealed, name: newId('tool') }),
  ).rejects.toMatchObject({
    code: 'secret_unreadable',
  });
});

test('a worker that claims a turn gets the tool, with a key that it can decrypt', async () => {
  const { body } = await post({ ...config, name: freshName() }).expect(201);
  const agent = { name: 'a', model: 'm', tools: [{ type: 'http', name: body.name }] };
  const made = await api.client.http.post('/v1/agents').send(agent).expect(201);
  const turn = await api.client.http
    .post('/v1/turns')
    .send({ agent_id: made.body.id, input: 'Hi' })
    .expect(202);
  await api.dispatcher.settle();
  const claim = {
    turnId: turn.body.id,
    epoch: 0,
    from: TRANSITIONS.claim.from,
    workerId: 'w',
    leaseMs: 60_000,
  };
  const claimed = await claimTurn(api.database.pool, claim);
  const [tool] = claimed?.tools ?? [];
  expect(tool).toMatchObject({ name: body.name, config: { ...config, method: 'POST' } });
  if (tool === undefined) throw new Error('The turn has no tool.');
  const opened = await api.secretBox.open(api.client.tenantId, tool.signingSecret);
  expect(opened.reveal()).toBe(body.signing_secret);
});

test('a replay has the same tool without its secret, which is in no record', async () => {
  const request = { ...config, name: freshName() };
  const send = (): Test => post(request).set('Idempotency-Key', 'register-once');
  const first = await send().expect(201);
  const second = await send().expect(201);
  const { signing_secret: secret, ...shown } = first.body;
  expect(secret).toMatch(/^whsec_/);
  expect(second.headers['idempotent-replayed']).toBe('true');
  expect(second.body).toEqual(shown);
  expect(second.headers['location']).toBe(first.headers['location']);
  const { idempotency_records: records = [], tools = [] } = await api.readAllRows();
  expect(records.join('')).toContain(first.body.id);
  expect(records.join('')).not.toContain('whsec_');
  expect(tools.filter((row) => row.includes(request.name))).toHaveLength(1);
});

test('as many concurrent requests as there are connections do not deadlock', async () => {
  const newcomer = await api.addTenant();
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      post({ ...config, name: freshName() }, newcomer).set('Idempotency-Key', `many-${n}`),
    ),
  );
  expect(responses.map((response) => response.status)).toEqual(responses.map(() => 201));
});

test('a name is unique within a tenant', async () => {
  const { name } = await create();
  const again = await post({ ...config, name }).expect(409);
  expect(again.body).toMatchObject({ code: 'tool_name_taken' });
  const keyed = await post({ ...config, name })
    .set('Idempotency-Key', 'taken')
    .expect(409);
  expect(keyed.body).toMatchObject({ code: 'tool_name_taken' });
  await create({ name }, await api.addTenant());
});

test('of two concurrent requests for a name one gets it', async () => {
  const name = freshName();
  const responses = await Promise.all(Array.from({ length: 8 }, () => post({ ...config, name })));
  const statuses = responses.map((response) => String(response.status)).toSorted();
  expect(statuses).toEqual(['201', ...Array.from({ length: 7 }, () => '409')]);
});

test.each([
  ['a type that is none', { type: 'object', properties: { a: { type: 'strin' } } }],
  ['a reference to elsewhere', { type: 'object', properties: { a: { $ref: 'https://a.example/s.json' } } }],
  ['a check that never ends', { type: 'object', not: { $ref: '#' } }],
])('a schema with %s is refused with its path, and nothing is stored', async (_, input_schema) => {
  const { id } = await create();
  const before = await api.readAllRows();
  const request = { ...config, input_schema };
  for (const response of [
    await post({ ...request, name: freshName() }),
    await post({ ...request, name: freshName() }).set('Idempotency-Key', 'refused'),
    await api.client.http.post(`/v1/tools/${id}`).send(request),
  ]) {
    expect(response.status).toBe(400);
    expect(response.body).toMatchObject({ code: 'invalid_request', errors: [{ path: 'input_schema' }] });
  }
  expect(await api.readAllRows()).toEqual(before);
});

test.each([
  ['no name', { name: undefined }, 'name'],
  ['a name of two words', { name: 'two words' }, 'name'],
  ['a schema of a list', { input_schema: { type: 'array' } }, 'input_schema.type'],
  ['another scheme', { url: 'ftp://tools.example' }, 'url'],
  ['an effect that needs an address to ask', { effect: 'reconcile' }, 'reconcile_url'],
  ['a header with a line break', { headers: { a: 'b\r\nc' } }, 'headers.a'],
])('a tool with %s is refused', async (_, change, path) => {
  const { body } = await post({ ...config, name: 'x', ...change }).expect(400);
  expect(body.code).toBe('invalid_request');
  expect(body.errors.map((issue: { path: string }) => issue.path)).toContain(path);
});

test('a new configuration replaces the old one; the name and the key stay', async () => {
  const { id, name } = await create({ headers: { 'X-A': 'b' }, timeout_ms: 1_000 });
  const before = await api.database.prisma.tool.findUniqueOrThrow({ where: { id } });
  const request = { ...config, url: 'https://tools.example/v2' };
  const { body } = await api.client.http.post(`/v1/tools/${id}`).send(request).expect(200);
  expect(body).toMatchObject({ id, name, url: request.url, headers: {}, timeout_ms: 30_000 });
  expect(body).not.toHaveProperty('signing_secret');
  expect((await api.client.http.get(`/v1/tools/${id}`)).body).toEqual(body);
  const after = await api.database.prisma.tool.findUniqueOrThrow({ where: { id } });
  expect(after.signingEnvelope).toBe(before.signingEnvelope);
});

test('a deleted tool cannot be read', async () => {
  const { id } = await create();
  await api.client.http.delete(`/v1/tools/${id}`).expect(204);
  await api.client.http.get(`/v1/tools/${id}`).expect(404);
  await api.client.http.delete(`/v1/tools/${id}`).expect(404);
  await api.client.http.post(`/v1/tools/${id}`).send(config).expect(404);
});

test('another tenant’s tool is not found', async () => {
  const { id } = await create();
  const other = await api.addTenant();
  const before = await api.readAllRows();
  for (const response of [
    await other.http.get(`/v1/tools/${id}`),
    await other.http.post(`/v1/tools/${id}`).send(config),
    await other.http.delete(`/v1/tools/${id}`),
  ]) {
    expect([response.status, response.body.code]).toEqual([404, 'not_found']);
  }
  expect(await api.readAllRows()).toEqual(before);
  expect((await other.http.get('/v1/tools').expect(200)).body.items).toEqual([]);
});

test('a list is paged by its cursor, newest first', async () => {
  const client = await api.addTenant();
  const made = [];
  for (let n = 0; n < 3; n += 1) made.unshift((await create({}, client)).id);
  const first = await client.http.get('/v1/tools?limit=2').expect(200);
  const second = await client.http.get(`/v1/tools?limit=2&cursor=${first.body.next_cursor}`).expect(200);
  const ids = [...first.body.items, ...second.body.items].map((tool: { id: string }) => tool.id);
  expect(ids).toEqual(made);
  expect(JSON.stringify([first.body, second.body])).not.toContain('whsec_');
});

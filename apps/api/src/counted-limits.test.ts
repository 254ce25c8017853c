import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS, type LimitOverrides } from '@turnpike/contract';
import { changeLimits } from '@turnpike/store';
import type { Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi, type Client } from './testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

async function limited(overrides: LimitOverrides): Promise<Client> {
  const client = await api.addTenant();
  await changeLimits(api.database.pool, client.tenantId, overrides);
  await untilTrue('the limits are known', async () => {
    const { body } = await client.http.get('/v1/limits');
    return Object.entries(overrides).every(([name, value]) => body[name] === value);
  });
  return client;
}

interface Case {
  limit: keyof LimitOverrides;
  code: string;
  make: (client: Client, n: number) => Test;
  /** Frees a slot for one more. */
  remove: (client: Client, made: { id: string; name: string }) => Test;
  /** How many there are of them at first. */
  atFirst?: number;
}

const CASES: Case[] = [
  {
    limit: 'max_agents',
    code: 'agent_limit',
    make: ({ http }, n) => http.post('/v1/agents').send({ name: `a${n}`, model: 'm' }),
    remove: ({ http }, { id }) => http.delete(`/v1/agents/${id}`),
  },
  {
    limit: 'max_mcp_servers',
    code: 'mcp_server_limit',
    make: ({ http }, n) => http.post('/v1/mcp_servers').send({ name: `s${n}`, url: 'https://mcp.example/' }),
    remove: ({ http }, { id }) => http.delete(`/v1/mcp_servers/${id}`),
  },
  {
    limit: 'max_tools',
    code: 'tool_limit',
    make: ({ http }, n) =>
      http.post('/v1/tools').send({
        name: `t${n}`,
        description: 'A tool.',
        input_schema: { type: 'object' },
        url: 'https://tools.example/',
      }),
    remove: ({ http }, { id }) => http.delete(`/v1/tools/${id}`),
  },
  {
    limit: 'max_secrets',
    code: 'secret_limit',
    make: ({ http }, n) => http.put(`/v1/secrets/s${n}`).send({ value: 'x' }),
    remove: ({ http }, { name }) => http.delete(`/v1/secrets/${name}`),
  },
  {
    limit: 'max_api_keys',
    code: 'api_key_limit',
    make: ({ http }, n) => http.post('/v1/api_keys').send({ name: `k${n}`, scopes: ['turns:read'] }),
    remove: ({ http }, { id }) => http.delete(`/v1/api_keys/${id}`),
    atFirst: 1,
  },
  {
    limit: 'max_webhook_endpoints',
    code: 'webhook_endpoint_limit',
    make: ({ http }) => http.post('/v1/webhook_endpoints').send({ url: 'https://hooks.example/' }),
    remove: ({ http }, { id }) => http.delete(`/v1/webhook_endpoints/${id}`),
  },
];

test.each(CASES)(
  'of many created at once under $limit exactly as many are accepted, and one more once one is deleted',
  async ({ limit, code, make, remove, atFirst = 0 }) => {
    const client = await limited({ [limit]: 5 });
    const responses = await Promise.all(Array.from({ length: 15 }, (_, n) => make(client, n)));
    const made = responses.filter(({ status }) => status < 300);
    const refused = responses.filter(({ status }) => status >= 300);
    expect(made).toHaveLength(5 - atFirst);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set([`409 ${code}`]),
    );
    expect(refused[0]?.body.detail).toContain(limit);
    expect((await make(client, 20)).body.code).toBe(code);
    await remove(client, made[0]?.body).expect(204);
    expect((await make(client, 21)).status).toBeLessThan(300);
    // Another tenant has its own limit.
    expect((await make(await api.addTenant(), 1)).status).toBeLessThan(300);
  },
);

test('a tenant reads its limits, and a secret at the limit can still be replaced', async () => {
  const client = await limited({ max_secrets: 1 });
  const { body } = await client.http.get('/v1/limits').expect(200);
  expect(body).toMatchObject({
    max_agents: DEFAULT_LIMITS.max_agents,
    max_memory_bytes: 1024 ** 3,
    max_secrets: 1,
  });
  await client.http.put('/v1/secrets/one').send({ value: 'x' }).expect(200);
  expect((await client.http.put('/v1/secrets/one').send({ value: 'y' }).expect(200)).body.version).toBe(2);
  await client.http.put('/v1/secrets/two').send({ value: 'x' }).expect(409);
});

test('at the limit a key is rotated without overlap, and not beside the old one', async () => {
  const client = await limited({ max_api_keys: 2 });
  const body = { name: 'k', scopes: ['turns:read'] };
  const { id } = (await client.http.post('/v1/api_keys').send(body).expect(201)).body;
  const rotate = (overlap: number): Test =>
    client.http.post(`/v1/api_keys/${id}/rotate`).send({ overlap_seconds: overlap });
  expect((await rotate(60).expect(409)).body.code).toBe('api_key_limit');
  await rotate(0).expect(201);
});

test('an agent has so many versions, of changes at once too, and one that is refused stays as it was', async () => {
  const client = await limited({ max_agent_versions: 4 });
  const { id } = (await client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201)).body;
  const responses = await Promise.all(
    Array.from({ length: 8 }, (_, n) => client.http.post(`/v1/agents/${id}`).send({ name: `b${n}` })),
  );
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(3);
  expect(responses.find(({ status }) => status !== 200)?.body).toMatchObject({
    code: 'agent_version_limit',
    status: 409,
  });
  const { body } = await client.http.get(`/v1/agents/${id}`).expect(200);
  expect(body.version).toBe(4);
  expect((await client.http.post(`/v1/agents/${id}/versions/1/restore`)).body.code).toBe(
    'agent_version_limit',
  );
  // What changes nothing needs no version.
  await client.http.post(`/v1/agents/${id}`).send({ name: body.name }).expect(200);
});

test('metadata above its limit is refused wherever it can be given, and nothing is stored', async () => {
  const client = await limited({ max_metadata_bytes: 100 });
  const small = { a: 'x'.repeat(50) };
  const large = { a: 'é'.repeat(50) };
  const agent = await client.http
    .post('/v1/agents')
    .send({ name: 'a', model: 'm', metadata: small })
    .expect(201);
  const session = await client.http
    .post('/v1/sessions')
    .send({ agent_id: agent.body.id, metadata: small })
    .expect(201);
  const rows = await api.readAllRows();
  for (const [path, body] of [
    ['/v1/agents', { name: 'a', model: 'm', metadata: large }],
    [`/v1/agents/${agent.body.id}`, { metadata: large }],
    ['/v1/sessions', { agent_id: agent.body.id, metadata: large }],
    [`/v1/sessions/${session.body.id}`, { metadata: large }],
    [`/v1/sessions/${session.body.id}/turns`, { input: 'Hi', metadata: large }],
    ['/v1/turns', { agent_id: agent.body.id, input: 'Hi', metadata: large }],
    ['/v1/turns', { agent_id: agent.body.id, input: 'Hi', session_metadata: large }],
  ] as const) {
    const { status, body: problem } = await client.http.post(path).send(body).set('Idempotency-Key', 'k');
    expect([path, status, problem.code]).toEqual([path, 413, 'metadata_too_large']);
  }
  expect(await api.readAllRows()).toEqual(rows);
});

test('the default limit allows all metadata that the schema allows', async () => {
  const metadata = Object.fromEntries(
    Array.from({ length: 16 }, (_, n) => [`${n}`.padStart(64, '\u0001'), '\u0001'.repeat(512)]),
  );
  const { http } = api.client;
  await http.post('/v1/agents').send({ name: 'a', model: 'm', metadata }).expect(201);
});

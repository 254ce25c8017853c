import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi, type Client } from './testing/test-api.ts';

let api: TestApi;
let client: Client;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  client = await api.addTenant();
  for (const name of ['one', 'two']) await client.http.put(`/v1/secrets/${name}`).send({ value: 'a-key' });
});
afterAll(() => api.stop());

const put = (body: object) => client.http.put('/v1/model_settings').send(body);

test('a tenant without settings has no keys, and the operator’s address', async () => {
  const other = await api.addTenant();
  const { body } = await other.http.get('/v1/model_settings').expect(200);
  expect(body).toEqual({
    object: 'model_settings',
    keys: [],
    base_url: null,
    auth: 'x-api-key',
    operator_key: true,
    updated_at: null,
  });
});

test('settings are stored, read and replaced as a whole, for their own tenant only', async () => {
  const given = { keys: ['two', 'one'], base_url: 'https://gateway.example/llm', auth: 'bearer' };
  const { body } = await put(given).expect(200);
  expect(body).toMatchObject({ ...given, updated_at: expect.any(String) });
  expect((await client.http.get('/v1/model_settings')).body).toEqual(body);
  expect((await put({ keys: ['one'] }).expect(200)).body).toMatchObject({
    keys: ['one'],
    base_url: null,
    auth: 'x-api-key',
  });
  expect((await api.client.http.get('/v1/model_settings')).body).toMatchObject({ keys: [] });
});

test('a name without a secret is refused with its path, and so is the name of another tenant’s secret', async () => {
  await put({ keys: ['one'] }).expect(200);
  const { body } = await put({ keys: ['one', 'gone', 'two', 'lost'] }).expect(400);
  expect(body).toMatchObject({
    code: 'invalid_request',
    errors: [
      { path: 'keys.1', message: 'there is no secret gone' },
      { path: 'keys.3', message: 'there is no secret lost' },
    ],
  });
  expect((await client.http.get('/v1/model_settings')).body.keys).toEqual(['one']);
  await api.client.http
    .put('/v1/model_settings')
    .send({ keys: ['one'] })
    .expect(400);
});

test.each([
  [{}, 'keys'],
  [{ keys: ['one', 'one'] }, 'keys'],
  [{ keys: Array.from({ length: 9 }, (_, n) => `k${n}`) }, 'keys'],
  [{ keys: ['not a name'] }, 'keys.0'],
  [{ keys: [], base_url: 'http://gateway.example' }, 'base_url'],
  [{ keys: [], base_url: 'http://127.0.0.1.evil.example' }, 'base_url'],
  [{ keys: [], base_url: 'https://me:pass@gateway.example' }, 'base_url'],
  [{ keys: [], base_url: 'https://gateway.example/?key=1' }, 'base_url'],
  [{ keys: [], base_url: 'https://gateway.example/#x' }, 'base_url'],
  [{ keys: [], base_url: 'ftp://gateway.example' }, 'base_url'],
  [{ keys: [], base_url: 'nonsense' }, 'base_url'],
  [{ keys: [], auth: 'basic' }, 'auth'],
  [{ keys: [], operator_key: true }, 'operator_key'],
])('%j is refused', async (body, path) => {
  const response = await put(body).expect(400);
  expect(response.body.errors[0]).toMatchObject({ path });
});

test.each(['http://localhost:4000', 'http://127.0.0.1:4000', 'https://127.0.0.1/v1'])(
  '%s, which the operator allows, may be set',
  async (url) => {
    await put({ keys: [], base_url: url }).expect(200);
  },
);

test.each([
  'https://10.0.0.1',
  'https://192.168.1.1:8443/v1',
  'https://169.254.169.254/latest',
  'https://100.64.0.1',
  'https://0/',
  'https://0x7f.2/',
  'https://2130706434/',
  'https://[::1]/',
  'http://[::1]:4000/v1',
  'https://[fd00::1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://[64:ff9b::a00:1]/',
  'https://gateway.example:25/',
])(
  '%s, which no request is sent to, is refused when it is set, with what the operator may do',
  async (url) => {
    await put({ keys: ['one'] }).expect(200);
    const { body } = await put({ keys: [], base_url: url }).expect(400);
    expect(body).toMatchObject({
      code: 'invalid_request',
      errors: [{ path: 'base_url', message: expect.stringContaining('EGRESS_ALLOW') }],
    });
    expect((await client.http.get('/v1/model_settings')).body).toMatchObject({
      keys: ['one'],
      base_url: null,
    });
  },
);

test('an agent names its keys in its configuration, and they must exist', async () => {
  const agent = { name: 'a', model: 'claude-sonnet-4-5' };
  const make = (keys: string[]) => client.http.post('/v1/agents').send({ ...agent, model_keys: keys });
  expect((await make(['gone']).expect(400)).body.errors).toEqual([
    { path: 'model_keys.0', message: 'there is no secret gone' },
  ]);
  await make([]).expect(400);
  const { body } = await make(['two']).expect(201);
  expect(body.model_keys).toEqual(['two']);
  const update = (keys: object) => client.http.post(`/v1/agents/${body.id}`).send({ ...agent, ...keys });
  await update({ model_keys: ['one', 'gone'] }).expect(400);
  expect((await update({}).expect(200)).body.model_keys).toEqual(['two']);
  expect((await update({ model_keys: null }).expect(200)).body).not.toHaveProperty('model_keys');
});

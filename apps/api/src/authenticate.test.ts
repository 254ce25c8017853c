import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApiKey, makeApiKey, revokeApiKey } from '@turnpike/store';
import supertest, { type Response } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});

afterAll(() => api.stop());

const ask = async (headers: Record<string, string>): Promise<Response> =>
  supertest(api.url).get('/v1/agents').set(headers);

/** How often keys were looked up, as Postgres counts it. */
async function countLookUps(work: () => Promise<unknown>): Promise<number> {
  const { pool } = api.database;
  const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<unknown>;
  let lookUps = 0;
  const counted = (...given: unknown[]): Promise<unknown> => {
    if ((given[0] as { text?: string }).text?.includes('FROM api_keys') === true) lookUps += 1;
    return query(...given);
  };
  Object.assign(pool, { query: counted });
  try {
    await work();
  } finally {
    Reflect.deleteProperty(pool, 'query');
  }
  return lookUps;
}

test('a key is accepted as a bearer token, in any case of the scheme, and as x-api-key', async () => {
  const { apiKey } = api.client;
  const forms = [
    { authorization: `Bearer ${apiKey}` },
    { authorization: `bearer ${apiKey}` },
    { authorization: `BEARER  ${apiKey} ` },
    { 'x-api-key': apiKey },
  ];
  for (const headers of forms) expect((await ask(headers)).status).toBe(200);
});

test('only the complete key authenticates', async () => {
  const { apiKey, keyId, tenantId } = api.client;
  const { rows } = await api.database.pool.query<{ hash: Buffer }>(
    'SELECT hash FROM api_keys WHERE id = $1',
    [keyId],
  );
  const hash = rows[0]?.hash ?? Buffer.from('');
  const wrong = [
    apiKey.slice(0, -1),
    `${apiKey}a`,
    apiKey.toLowerCase(),
    apiKey.slice('tp_live_'.length),
    hash.toString('hex'),
    hash.toString('base64'),
    keyId,
    tenantId,
  ];
  for (const key of wrong) expect((await ask({ authorization: `Bearer ${key}` })).status).toBe(401);
});

test('a revoked key works for a second at most', async () => {
  const { keyId, apiKey } = await api.addTenant();
  const headers = { authorization: `Bearer ${apiKey}` };
  expect((await ask(headers)).status).toBe(200);
  await revokeApiKey(api.database.pool, keyId);
  const revoked = performance.now();
  await untilTrue('the key is refused', async () => (await ask(headers)).status === 401);
  expect(performance.now() - revoked).toBeLessThan(20_000);
  expect((await ask(headers)).body.code).toBe('unauthenticated');
});

test('to revoke a key affects no other key of its tenant', async () => {
  const { tenantId, keyId, apiKey } = await api.addTenant();
  const second = await createApiKey(api.database.pool, { tenantId, name: 'second', scopes: ['admin'] });
  await revokeApiKey(api.database.pool, keyId);
  expect((await ask({ authorization: `Bearer ${apiKey}` })).status).toBe(401);
  expect((await ask({ authorization: `Bearer ${second.key}` })).status).toBe(200);
});

test('an unknown key works about a second after it is created', async () => {
  const { tenantId } = api.client;
  const { key, apiKey } = await createApiKey(api.database.pool, {
    tenantId,
    name: 'late',
    scopes: ['admin'],
  });
  const headers = { authorization: `Bearer ${key}` };
  await api.database.pool.query(`UPDATE api_keys SET revoked_at = now() WHERE id = $1`, [apiKey.id]);
  expect((await ask(headers)).status).toBe(401);
  await api.database.pool.query(`UPDATE api_keys SET revoked_at = NULL WHERE id = $1`, [apiKey.id]);
  await untilTrue('the key is accepted', async () => (await ask(headers)).status === 200);
});

test('requests that arrive together share one look-up of their key', async () => {
  const { apiKey } = await api.addTenant();
  const headers = { authorization: `Bearer ${apiKey}` };
  const lookUps = await countLookUps(() => Promise.all(Array.from({ length: 30 }, () => ask(headers))));
  // One, and another where the requests took longer than the look-up is cached.
  expect(lookUps).toBeGreaterThan(0);
  expect(lookUps).toBeLessThan(5);
});

test('an unknown key is looked up once too', async () => {
  const headers = { authorization: `Bearer ${makeApiKey()}` };
  const lookUps = await countLookUps(() => Promise.all(Array.from({ length: 30 }, () => ask(headers))));
  expect(lookUps).toBeGreaterThan(0);
  expect(lookUps).toBeLessThan(5);
});

test('what cannot be a key is refused without a query', async () => {
  const { apiKey } = api.client;
  const other = apiKey.endsWith('A') ? 'B' : 'A';
  const wrong = [
    'tp_live_nobody',
    `${apiKey.slice(0, -1)}${other}`,
    apiKey.replace('tp_live', 'tp_test'),
    `${apiKey}x`,
  ];
  const lookUps = await countLookUps(() =>
    Promise.all(
      wrong.map(async (key) => expect((await ask({ authorization: `Bearer ${key}` })).status).toBe(401)),
    ),
  );
  expect(lookUps).toBe(0);
});

test('a request is authenticated before a byte of its body is read', async () => {
  const response = await supertest(api.url)
    .post('/v1/agents')
    .set('Content-Type', 'application/json')
    .send('{ broken');
  expect(response.status).toBe(401);
});

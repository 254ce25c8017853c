import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SCOPES, type Scope } from '@turnpike/contract';
import { createApiKey } from '@turnpike/store';
import supertest from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { readDocument, type Operation } from './testing/read-operations.ts';
import { sampleOf } from './testing/sample-schema.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  // Nothing is written in the background.
  await api.keyUses.close();
});
afterAll(() => api.stop());

interface Addressed extends Pick<Operation, 'method' | 'scope'> {
  path: string;
}

/** Every operation of the document, with ids that do not exist. A new operation is included without being named. */
async function readOperations(): Promise<Addressed[]> {
  const document = await readDocument(api.url);
  const foreignId = (prefix: string): string => `${prefix}_01kapjt9e8f7ga5vxq3c2m4n6r`;
  return document.operations.map(({ method, path, scope, parameters }) => ({
    method,
    scope,
    path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const parameter = parameters.find((each) => each.name === name);
      return String(sampleOf(parameter?.schema ?? {}, document, foreignId));
    }),
  }));
}

async function keyWith(scopes: readonly Scope[]): Promise<string> {
  const { tenantId } = api.client;
  return (await createApiKey(api.database.pool, { tenantId, name: 'k', scopes })).key;
}

const ask = (key: string, { method, path }: Addressed) => {
  const request = supertest(api.url)[method](path);
  return request.set('authorization', `Bearer ${key}`);
};

test('every operation of the document refuses a key without its scope, with 403 and nothing changed', async () => {
  const operations = await readOperations();
  expect(operations.length).toBeGreaterThan(25);
  for (const operation of operations) {
    const others = SCOPES.filter((scope) => scope !== operation.scope && scope !== 'admin');
    const key = await keyWith(others);
    const before = await api.readAllRows();
    const response = await ask(key, operation);
    expect([operation.method, operation.path, response.status, response.body.code]).toEqual([
      operation.method,
      operation.path,
      403,
      'insufficient_scope',
    ]);
    expect(await api.readAllRows()).toEqual(before);
  }
});

test('a key with only that scope, and an admin key, are allowed', async () => {
  for (const operation of await readOperations()) {
    for (const scopes of [[operation.scope], ['admin']] as const) {
      const response = await ask(await keyWith(scopes), operation);
      // The operator's view is of all tenants: no administrator of one has it.
      const isRefused = operation.scope === 'operator' && scopes[0] === 'admin';
      expect([operation.path, scopes, response.status === 403]).toEqual([operation.path, scopes, isRefused]);
      expect(response.status).toBeLessThan(500);
    }
  }
});

test('no request makes a key with the scope operator, or one from a key that has it', async () => {
  const { http, tenantId } = api.client;
  const scopes = ['turns:read', 'operator'];
  const refused = await http.post('/v1/api_keys').send({ name: 'k', scopes }).expect(400);
  expect(refused.body.errors).toMatchObject([{ path: 'scopes.1' }]);
  const made = await createApiKey(api.database.pool, { tenantId, name: 'k', scopes: ['operator'] });
  const path = `/v1/api_keys/${made.apiKey.id}/rotate`;
  const body = await http.post(path).send({}).expect(403);
  expect(body.body.code).toBe('insufficient_scope');
  const both = await keyWith(['admin', 'operator']);
  const rotated = await supertest(api.url).post(path).set('authorization', `Bearer ${both}`).send({});
  expect([rotated.status, rotated.body.scopes]).toEqual([201, ['operator']]);
});

test('a key is created, shown once, rotated with an overlap, and revoked', async () => {
  const { http } = api.client;
  const made = await http
    .post('/v1/api_keys')
    .set('Idempotency-Key', 'one')
    .send({ name: 'ci', scopes: ['turns:read'], expires_in_seconds: 3600 })
    .expect(201);
  expect(made.body).toMatchObject({ object: 'api_key', scopes: ['turns:read'], revoked_at: null });
  const replay = await http
    .post('/v1/api_keys')
    .set('Idempotency-Key', 'one')
    .send({ name: 'ci', scopes: ['turns:read'], expires_in_seconds: 3600 })
    .expect(201);
  expect(replay.body).not.toHaveProperty('key');
  expect(replay.body.id).toBe(made.body.id);
  expect(JSON.stringify(await api.readAllRows())).not.toContain(made.body.key);

  const works = async (key: string): Promise<boolean> =>
    (await supertest(api.url).get('/v1/turns').set('authorization', `Bearer ${key}`)).status === 200;
  expect(await works(made.body.key)).toBe(true);
  const rotated = await http.post(`/v1/api_keys/${made.body.id}/rotate`).send({ overlap_seconds: 3600 });
  expect(rotated.body).toMatchObject({
    name: 'ci',
    scopes: ['turns:read'],
    expires_at: made.body.expires_at,
  });
  expect([await works(made.body.key), await works(rotated.body.key)]).toEqual([true, true]);

  await http.post(`/v1/api_keys/${rotated.body.id}/rotate`).send({ overlap_seconds: 0 }).expect(201);
  await untilTrue('the old key has expired', async () => !(await works(rotated.body.key)));
  await http.delete(`/v1/api_keys/${made.body.id}`).expect(204);
  await untilTrue('the key is revoked', async () => !(await works(made.body.key)));
  await http.delete(`/v1/api_keys/${made.body.id}`).expect(404);
  const keys: { id: string; revoked_at: string | null }[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: { body: { items: typeof keys; next_cursor: string | null } } = await http
      .get(`/v1/api_keys?limit=100${cursor && `&cursor=${cursor}`}`)
      .expect(200);
    keys.push(...page.body.items);
    cursor = page.body.next_cursor;
  }
  expect(keys.find(({ id }) => id === made.body.id)?.revoked_at).not.toBeNull();
});

test('a rotation does not extend the life of a key, unless asked to', async () => {
  const { http } = api.client;
  const make = async (more: object) =>
    (
      await http
        .post('/v1/api_keys')
        .send({ name: 'guest', scopes: ['turns:read'], ...more })
        .expect(201)
    ).body;
  const rotate = async (id: string, rotation: object) =>
    (await http.post(`/v1/api_keys/${id}/rotate`).send(rotation).expect(201)).body;

  const guest = await make({ expires_in_seconds: 3600 });
  const second = await rotate(guest.id, { overlap_seconds: 1800 });
  expect(second.expires_at).toBe(guest.expires_at);
  // Also of the key that is in its overlap: its own expiry holds.
  const third = await rotate(guest.id, {});
  expect(Date.parse(third.expires_at)).toBeLessThan(Date.parse(guest.expires_at));
  const longer = await rotate(second.id, { expires_in_seconds: 7200 });
  expect(Date.parse(longer.expires_at)).toBeGreaterThan(Date.parse(guest.expires_at));

  const lasting = await make({});
  expect((await rotate(lasting.id, {})).expires_at).toBeNull();
});

test("another tenant's key cannot be seen, rotated or revoked", async () => {
  const other = await api.addTenant();
  await api.client.http.delete(`/v1/api_keys/${other.keyId}`).expect(404);
  await api.client.http.post(`/v1/api_keys/${other.keyId}/rotate`).send({}).expect(404);
  const { body } = await other.http.get('/v1/api_keys').expect(200);
  expect(body.items).toHaveLength(1);
});

test('the last use of a key is recorded, without a write for each request', async () => {
  const key = await keyWith(['turns:read']);
  const headers = { authorization: `Bearer ${key}` };
  for (let request = 0; request < 5; request++)
    await supertest(api.url).get('/v1/turns').set(headers).expect(200);
  await api.keyUses.flush();
  const { rows } = await api.database.pool.query(
    'SELECT count(*)::int AS used FROM api_keys WHERE last_used_at IS NOT NULL AND last_four = $1',
    [key.slice(-4)],
  );
  expect(rows).toEqual([{ used: 1 }]);
});

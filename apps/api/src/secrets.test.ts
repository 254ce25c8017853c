import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

const VALUE = 'crm-token-that-nobody-may-see-7f3a';

const CRM = { url: 'https://crm.example/', by: 'tool' } as const;

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

const put = (name: string, value: string) => api.client.http.put(`/v1/secrets/${name}`).send({ value });

test('a secret has a name and versions, and its value is in no response, row or log line', async () => {
  const first = await put('crm', VALUE).expect(200);
  expect(first.body).toMatchObject({ object: 'secret', name: 'crm', version: 1, last_four: '7f3a' });
  const second = await put('crm', `${VALUE}-2b`).expect(200);
  expect(second.body).toMatchObject({ version: 2, last_four: '3a-2b'.slice(-4) });
  const read = await api.client.http.get('/v1/secrets/crm').expect(200);
  const listed = await api.client.http.get('/v1/secrets').expect(200);
  expect(listed.body.items).toEqual([read.body]);

  const seen = [first.text, second.text, read.text, listed.text, ...api.logLines];
  const rows = JSON.stringify(await api.readAllRows());
  for (const text of [...seen, rows]) {
    expect(text).not.toContain(VALUE);
    expect(text).not.toContain(Buffer.from(VALUE).toString('base64'));
  }
  expect(rows).toContain('v1.dek_');
});

test('a worker reads the newest version, and it cannot be decrypted for another tenant, name or version', async () => {
  const { tenantId } = api.client;
  await put('moved', VALUE).expect(200);
  expect((await api.secretBox.read(tenantId, 'moved', CRM))?.reveal()).toBe(VALUE);
  const other = await api.addTenant();
  expect(await api.secretBox.read(other.tenantId, 'moved', CRM)).toBeNull();

  await put('target', 'another value altogether').expect(200);
  await api.database.pool.query(
    `UPDATE secrets SET envelope = (SELECT envelope FROM secrets WHERE name = 'moved') WHERE name = 'target'`,
  );
  await expect(api.secretBox.read(tenantId, 'target', CRM)).rejects.toMatchObject({
    code: 'secret_unreadable',
  });
  await api.database.pool.query(`UPDATE secrets SET version = version + 1 WHERE name = 'moved'`);
  await expect(api.secretBox.read(tenantId, 'moved', CRM)).rejects.toMatchObject({
    code: 'secret_unreadable',
  });
});

test('twenty concurrent writes create twenty versions, and the last one can be read', async () => {
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => put('busy', `value number ${n} of twenty`).expect(200)),
  );
  const { body } = await api.client.http.get('/v1/secrets/busy').expect(200);
  expect(body.version).toBe(20);
  expect((await api.secretBox.read(api.client.tenantId, 'busy', CRM))?.reveal()).toMatch(
    /^value number \d+ of twenty$/,
  );
});

test('a deleted secret cannot be read', async () => {
  await put('brief', 'a value that goes away').expect(200);
  await api.client.http.delete('/v1/secrets/brief').expect(204);
  await api.client.http.get('/v1/secrets/brief').expect(404);
  await api.client.http.delete('/v1/secrets/brief').expect(404);
  expect(await api.secretBox.read(api.client.tenantId, 'brief', CRM)).toBeNull();
});

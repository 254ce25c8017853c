import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import { createEnvironmentKeys, parseMasterKeys } from '@turnpike/secrets';
import { Secret } from '@turnpike/telemetry';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { createTenant } from '../tenants/tenants.ts';
import { openSecretBox, type SecretBox } from '../secrets/secret-box.ts';
import { deleteWebhookEndpoint, insertWebhookEndpoint } from './webhook-endpoints.ts';
import { readWebhookSecrets, replaceWebhookSecret } from './webhook-secrets.ts';

let database: Database;
let secretBox: SecretBox;
let drop: () => Promise<void>;
beforeEach(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  database = openDatabase({ url: created.url, poolSize: 5, applicationName: 't', onError: () => undefined });
  const key = `k:${Buffer.alloc(32, 'a key').toString('base64')}`;
  secretBox = openSecretBox(database, createEnvironmentKeys(parseMasterKeys(key)));
});
afterEach(async () => {
  secretBox.close();
  await database.close();
  await drop();
});

const make = (): Secret => new Secret(`whsec_${Buffer.alloc(32, 1).toString('base64')}`);

async function countSecrets(): Promise<number> {
  const { rows } = await database.pool.query('SELECT 1 FROM webhook_secrets');
  return rows.length;
}

test('an endpoint that is deleted during a delivery gets no new key', async () => {
  const tenantId = await createTenant(database, 'Acme');
  const owner = newId('webhookEndpoint');
  const wanted = {
    url: 'https://hooks.example.com/',
    description: '',
    events: ['turn.completed' as const],
    format: 'turnpike' as const,
  };
  await insertWebhookEndpoint(database.pool, { ...wanted, id: owner, tenantId });
  await replaceWebhookSecret(database.pool, secretBox, { tenantId, owner }, make(), 0);
  expect(await readWebhookSecrets(database.pool, secretBox, { tenantId, owner }, null)).toHaveLength(1);
  await deleteWebhookEndpoint(database.pool, tenantId, owner);
  expect(await readWebhookSecrets(database.pool, secretBox, { tenantId, owner }, null)).toEqual([]);
  expect(await countSecrets()).toBe(0);
});

test("a tenant's own key is made once, when it is first needed, by concurrent callers too", async () => {
  const tenantId = await createTenant(database, 'Acme');
  const owner = { tenantId, owner: tenantId };
  const all = await Promise.all(
    Array.from({ length: 5 }, () => readWebhookSecrets(database.pool, secretBox, owner, make)),
  );
  expect(new Set(all.flat().map(({ envelope }) => envelope)).size).toBe(1);
  expect(await countSecrets()).toBe(1);
});

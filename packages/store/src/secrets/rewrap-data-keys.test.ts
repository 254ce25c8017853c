import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createEnvironmentKeys, parseMasterKeys, type KeyProvider } from '@turnpike/secrets';
import { Secret } from '@turnpike/telemetry';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { startTestVault } from '../../../secrets/src/testing/test-vault.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { countDataKeys, rewrapDataKeys } from './rewrap-data-keys.ts';
import { putSecret } from './secrets.ts';
import { createTenant } from '../tenants/tenants.ts';
import { openSecretBox } from './secret-box.ts';

const TENANTS = 5;

let database: Database;
let drop: () => Promise<void>;
beforeEach(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  database = openDatabase({ url: created.url, poolSize: 5, applicationName: 't', onError: () => undefined });
});
afterEach(async () => {
  await database.close();
  await drop();
});

const key = (id: string): string => `${id}:${Buffer.alloc(32, `the key ${id}`).toString('base64')}`;
const environment = (...ids: string[]): KeyProvider =>
  createEnvironmentKeys(parseMasterKeys(ids.map(key).join(',')));

/** One tenant for each name, with a secret that contains the name. */
async function sealFor(provider: KeyProvider): Promise<string[]> {
  const vault = openSecretBox(database, provider);
  const tenants: string[] = [];
  for (let number = 0; number < TENANTS; number++) {
    const tenantId = await createTenant(database, `tenant ${number}`);
    tenants.push(tenantId);
    await putSecret(database.pool, vault, { tenantId, name: 'crm', value: new Secret(`of ${tenantId}`) });
  }
  vault.close();
  return tenants;
}

async function readAll(provider: KeyProvider, tenants: readonly string[]): Promise<(string | undefined)[]> {
  const vault = openSecretBox(database, provider);
  const secrets = await Promise.all(
    tenants.map((tenantId) => vault.read(tenantId, 'crm', { url: 'https://crm.example/', by: 'tool' })),
  );
  vault.close();
  return secrets.map((secret) => secret?.reveal());
}

test('every data key is wrapped by the current master key, opens what it sealed, and the old master key is not needed', async () => {
  const tenants = await sealFor(environment('old'));
  const provider = environment('new', 'old');
  expect(await rewrapDataKeys(database, provider)).toEqual({ keyId: 'env:new', moved: 5, unreadable: [] });
  expect(await countDataKeys(database.pool)).toEqual([{ keyId: 'env:new', count: TENANTS }]);
  expect(await readAll(environment('new'), tenants)).toEqual(tenants.map((id) => `of ${id}`));
  expect(await rewrapDataKeys(database, provider)).toMatchObject({ moved: 0 });
  const { rows } = await database.pool.query('SELECT tenant_id, action, details FROM audit_entries');
  expect(rows).toHaveLength(TENANTS);
  expect(rows[0]).toMatchObject({
    action: 'data_key.rewrapped',
    details: { from: 'env:old', to: 'env:new' },
  });
});

test('concurrent rewraps move each data key once', async () => {
  const tenants = await sealFor(environment('old'));
  const provider = environment('new', 'old');
  const done = await Promise.all(Array.from({ length: 4 }, () => rewrapDataKeys(database, provider)));
  expect(done.reduce((sum, { moved }) => sum + moved, 0)).toBe(TENANTS);
  expect(await readAll(environment('new'), tenants)).toEqual(tenants.map((id) => `of ${id}`));
});

test('a data key that changed meanwhile is not overwritten', async () => {
  await sealFor(environment('old'));
  const real = environment('new', 'old');
  const slow: KeyProvider = {
    ...real,
    async rewrap(wrapped, context) {
      await database.pool.query(`UPDATE data_keys SET wrapped = 'env:new elsewhere' WHERE tenant_id = $1`, [
        context.tenantId,
      ]);
      return real.rewrap(wrapped, context);
    },
  };
  expect(await rewrapDataKeys(database, slow)).toMatchObject({ moved: 0, unreadable: [] });
  const { rows } = await database.pool.query('SELECT DISTINCT wrapped FROM data_keys');
  expect(rows).toEqual([{ wrapped: 'env:new elsewhere' }]);
  expect((await database.pool.query('SELECT FROM audit_entries')).rowCount).toBe(0);
});

test('a rewrap that was interrupted keeps what it did, and the next one continues', async () => {
  const tenants = await sealFor(environment('old'));
  const real = environment('new', 'old');
  let calls = 0;
  const breaking: KeyProvider = {
    ...real,
    rewrap: (wrapped, context) => {
      calls += 1;
      return calls > 2 ? Promise.reject(new Error('the process ends')) : real.rewrap(wrapped, context);
    },
  };
  await expect(rewrapDataKeys(database, breaking)).rejects.toThrow('the process ends');
  expect(await readAll(real, tenants)).toEqual(tenants.map((id) => `of ${id}`));
  expect(await rewrapDataKeys(database, real)).toMatchObject({ moved: TENANTS - 2 });
});

test('a data key that no master key opens is reported, and the others are moved', async () => {
  await sealFor(environment('lost'));
  const tenants = await sealFor(environment('old'));
  const { moved, unreadable } = await rewrapDataKeys(database, environment('new', 'old'));
  expect([moved, unreadable.length]).toEqual([TENANTS, TENANTS]);
  expect(await readAll(environment('new'), tenants)).toEqual(tenants.map((id) => `of ${id}`));
});

test('in Vault, data keys are wrapped by the newest version of the master key, and older versions may be forbidden', async () => {
  const vault = await startTestVault();
  const provider = vault.open();
  const tenants = await sealFor(provider);
  vault.server.transit.rotate('turnpike');
  expect(await rewrapDataKeys(database, provider)).toEqual({
    keyId: 'vault:transit/turnpike:v2',
    moved: TENANTS,
    unreadable: [],
  });
  vault.server.transit.forbidBefore('turnpike', 2);
  expect(await readAll(vault.open(), tenants)).toEqual(tenants.map((id) => `of ${id}`));
  await vault.close();
});

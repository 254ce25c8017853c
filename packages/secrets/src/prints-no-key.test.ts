import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { redact, Secret } from '@turnpike/telemetry';
import { DataKey } from './data-key.ts';
import { createDataKeys } from './data-keys.ts';
import { createEnvironmentKeys } from './environment-keys.ts';
import { parseMasterKeys } from './master-keys.ts';
import { openSecret, sealSecret } from './seal-secret.ts';
import { appRole, SECRET_ID, type TestVault, startTestVault } from './testing/test-vault.ts';
import type { VaultFetch } from './vault-settings.ts';

const TENANT = { tenantId: 'ten_1' };
const CONTEXT = { ...TENANT, name: 'n', field: 'f', version: 1 };
const VALUE = 'the-value-of-a-secret';

let vault: TestVault;
beforeAll(async () => {
  vault = await startTestVault();
});
afterAll(() => vault.close());

test('No object or error of the environment provider prints a key or a value.', async () => {
  const master = randomBytes(32);
  const masterKeys = parseMasterKeys(`one:${master.toString('base64')}`);
  const provider = createEnvironmentKeys(masterKeys);
  const dataKeys = createDataKeys(provider);
  const bytes = randomBytes(32);
  const key = new DataKey('dk_1', bytes);
  const envelope = sealSecret(key, CONTEXT, new Secret(VALUE));
  const stored = await dataKeys.create('dk_2', 'ten_1');
  const wrapped = await provider.wrap(bytes, TENANT);
  const errors = await Promise.allSettled([
    provider.unwrap(wrapped, { tenantId: 'ten_2' }),
    provider.unwrap({ ...wrapped, keyId: 'env:two' }, TENANT),
    dataKeys.use({ ...stored, tenantId: 'ten_2' }, () => undefined),
    attempt(() => openSecret(key, { ...CONTEXT, version: 2 }, envelope)),
    attempt(() => parseMasterKeys(`one:${master.toString('base64')}=x`)),
  ]);
  expect(errors.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
  await dataKeys.use(stored, (used) => {
    const printed = print([masterKeys, provider, dataKeys, key, used, envelope, stored, wrapped, errors]);
    for (const hidden of [master, bytes, used.reveal()]) expectNoPartOf(hidden, printed);
    expect(printed).not.toContain(VALUE);
  });
  dataKeys.close();
});

test('No object or error of the Vault provider prints a key, a token or a secret id, whatever the client throws.', async () => {
  const failures: unknown[] = [];
  const bytes = randomBytes(32);
  const working = vault.open({ auth: appRole() });
  const wrapped = await working.wrap(bytes, TENANT);
  const throwing: VaultFetch = async (url, init) => {
    throw new TypeError(`cannot send ${JSON.stringify(init.headers)} ${init.body}`, {
      cause: Object.assign(new Error(init.body), { url, init, code: `E_${init.body}` }),
    });
  };
  const quoting: VaultFetch = async (_url, init) => ({
    status: 400,
    headers: { get: () => null },
    text: async () => JSON.stringify({ errors: [`cannot take ${init.body}`, SECRET_ID] }),
  });
  const garbled: VaultFetch = async () => ({
    status: 200,
    headers: { get: () => null },
    text: async () => `{"auth": {"client_token": ${bytes.toString('base64')} ${SECRET_ID}`,
  });
  const objects: unknown[] = [working];
  for (const broken of [throwing, quoting, garbled]) {
    const provider = vault.open({ fetch: broken, auth: appRole(), maxAttempts: 1 });
    objects.push(provider);
    failures.push(
      ...(await Promise.allSettled([provider.wrap(bytes, TENANT), provider.unwrap(wrapped, TENANT)])),
    );
  }
  const brokenLater: VaultFetch = (url, init) =>
    url.includes('/login') ? fetch(url, init) : throwing(url, init);
  const later = vault.open({ fetch: brokenLater, auth: appRole(), maxAttempts: 1 });
  failures.push(...(await Promise.allSettled([later.unwrap(wrapped, TENANT)])));
  expect(failures).toHaveLength(7);
  const printed = print([objects, failures, wrapped, appRole()]);
  expectNoPartOf(bytes, printed);
  expect(printed).not.toContain(SECRET_ID);
  const tokens = vault.server.seen.map(({ headers }) => String(headers['x-vault-token'] ?? 'none'));
  expect(tokens.some((token) => token.startsWith('hvs.'))).toBe(true);
  for (const token of tokens.filter((one) => one !== 'none')) expect(printed).not.toContain(token);
});

function print(values: unknown): string {
  return [
    inspect(values, { depth: Infinity, showHidden: true, maxArrayLength: Infinity }),
    JSON.stringify(values, (_name, value: unknown) =>
      value instanceof Error
        ? { own: Object.entries(value), text: `${value.message} ${value.stack ?? ''}`, cause: value.cause }
        : value,
    ),
    JSON.stringify(redact(values)),
  ].join('\n');
}

function expectNoPartOf(bytes: Buffer, printed: string): void {
  for (const encoding of ['base64', 'base64url', 'hex', 'latin1'] as const) {
    expect(printed).not.toContain(bytes.toString(encoding).slice(0, 12));
  }
  expect(printed).not.toContain([...bytes.subarray(0, 4)].join(','));
  expect(printed).not.toContain(
    [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
  );
}

async function attempt(work: () => unknown): Promise<void> {
  work();
}

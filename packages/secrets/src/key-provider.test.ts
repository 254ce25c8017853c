import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createEnvironmentKeys } from './environment-keys.ts';
import { DataKeyUnreadableError, KeyProviderError } from './errors.ts';
import { type KeyProvider, readWrappedKey, writeWrappedKey } from './key-provider.ts';
import { parseMasterKeys } from './master-keys.ts';
import { type TestVault, startTestVault } from './testing/test-vault.ts';

interface Driver {
  open(): KeyProvider;
  rotate(): void;
  /** Removes all master keys but the current one. */
  removeOldKeys(): void;
}

let vault: TestVault;
beforeAll(async () => {
  vault = await startTestVault();
});
afterAll(() => vault.close());

const TENANT = { tenantId: 'ten_1' };

/** The same guarantees for every provider. */
describe.each([
  ['the environment', environmentDriver],
  ['Vault with a derived key', () => vaultDriver('derived', 'context')],
  ['Vault with associated data', () => vaultDriver('other', 'associated_data')],
] as const)('A key provider on %s', (_name, driverOf) => {
  test('unwraps what it wrapped, for the same tenant only.', async () => {
    const provider = driverOf().open();
    const dataKey = randomBytes(32);
    const wrapped = await provider.wrap(dataKey, TENANT);
    expect((await provider.unwrap(wrapped, TENANT)).equals(dataKey)).toBe(true);
    for (const tenantId of ['ten_2', 'ten_', 'ten_11', '', 'TEN_1']) {
      await expect(provider.unwrap(wrapped, { tenantId })).rejects.toThrow(DataKeyUnreadableError);
      await expect(provider.rewrap(wrapped, { tenantId })).rejects.toThrow();
    }
  });

  test('reports the master key it wraps with, and a wrapped key can be written and read as text.', async () => {
    const provider = driverOf().open();
    const wrapped = await provider.wrap(randomBytes(32), TENANT);
    expect(wrapped.keyId).toBe(await provider.currentKeyId());
    expect(readWrappedKey(writeWrappedKey(wrapped))).toEqual(wrapped);
  });

  test('unwraps after a rotation, and, once rewrapped, without the old master key.', async () => {
    const driver = driverOf();
    const dataKey = randomBytes(32);
    const before = driver.open();
    const wrapped = await before.wrap(dataKey, TENANT);
    expect(wrapped.keyId).toBe(await before.currentKeyId());

    driver.rotate();
    const rotated = driver.open();
    expect(await rotated.currentKeyId()).not.toBe(wrapped.keyId);
    expect((await rotated.unwrap(wrapped, TENANT)).equals(dataKey)).toBe(true);
    const rewrapped = await rotated.rewrap(wrapped, TENANT);
    expect(rewrapped.keyId).toBe(await rotated.currentKeyId());

    driver.removeOldKeys();
    const after = driver.open();
    expect((await after.unwrap(rewrapped, TENANT)).equals(dataKey)).toBe(true);
    await expect(after.unwrap(rewrapped, { tenantId: 'ten_2' })).rejects.toThrow(DataKeyUnreadableError);
    const refused = after.unwrap(wrapped, TENANT);
    await expect(refused).rejects.toThrow(KeyProviderError);
  });

  test('does not unwrap a ciphertext with any bit changed.', async () => {
    const provider = driverOf().open();
    const { keyId, ciphertext } = await provider.wrap(randomBytes(32), TENANT);
    const start = ciphertext.lastIndexOf(keyId.startsWith('env:') ? '.' : ':') + 1;
    const sealed = Buffer.from(ciphertext.slice(start), 'base64');
    for (let bit = 0; bit < sealed.length * 8; bit += 5) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const text = changed.toString(keyId.startsWith('env:') ? 'base64url' : 'base64');
      const moved = { keyId, ciphertext: ciphertext.slice(0, start) + text };
      await expect(provider.unwrap(moved, TENANT)).rejects.toThrow(DataKeyUnreadableError);
    }
    for (const broken of [
      '',
      'v1.',
      'vault:v1:',
      ciphertext.slice(0, -8),
      `${ciphertext.slice(0, start)}AAAA`,
    ]) {
      const unwrapping = provider.unwrap({ keyId, ciphertext: broken }, TENANT);
      await expect(unwrapping).rejects.toThrow(DataKeyUnreadableError);
    }
  });

  test('reports an unknown master key as retryable, not as unreadable data.', async () => {
    const provider = driverOf().open();
    const { ciphertext } = await provider.wrap(randomBytes(32), TENANT);
    for (const keyId of ['env:another', 'vault:transit/another:v1', 'another']) {
      await expect(provider.unwrap({ keyId, ciphertext }, TENANT)).rejects.toMatchObject({
        name: 'KeyProviderError',
        code: 'master_key_unknown',
      });
    }
  });

  test('rejects a data key that is not 32 bytes long.', async () => {
    const provider = driverOf().open();
    const wrapped = await provider.wrap(randomBytes(16), TENANT);
    await expect(provider.unwrap(wrapped, TENANT)).rejects.toThrow(DataKeyUnreadableError);
  });
});

test('Text that is not a wrapped key is rejected.', () => {
  for (const text of ['', ' ', 'a', 'a ', ' b', 'a b c']) {
    expect(() => readWrappedKey(text)).toThrow(DataKeyUnreadableError);
  }
});

function environmentDriver(): Driver {
  let keys = [`one:${randomBytes(32).toString('base64')}`];
  return {
    open: () => createEnvironmentKeys(parseMasterKeys(keys.join(','))),
    rotate: () => {
      keys = [`two:${randomBytes(32).toString('base64')}`, ...keys];
    },
    removeOldKeys: () => {
      keys = keys.slice(0, 1);
    },
  };
}

function vaultDriver(key: string, binding: 'context' | 'associated_data'): Driver {
  vault.server.transit.create(key, { derived: binding === 'context' });
  return {
    open: () => vault.open({ key, binding }),
    rotate: () => vault.server.transit.rotate(key),
    removeOldKeys: () => vault.server.transit.forbidBefore(key, 2),
  };
}

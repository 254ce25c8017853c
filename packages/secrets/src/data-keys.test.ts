import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Secret } from '@turnpike/telemetry';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { createDataKeys } from './data-keys.ts';
import { createEnvironmentKeys } from './environment-keys.ts';
import { DataKeyUnreadableError, KeySettingsError } from './errors.ts';
import type { KeyProvider } from './key-provider.ts';
import { parseMasterKeys } from './master-keys.ts';
import { openSecret, sealSecret } from './seal-secret.ts';

const CONTEXT = { tenantId: 'ten_1', name: 'n', field: 'f', version: 1 };
const ZEROS = Buffer.alloc(32);

interface CountingProvider extends KeyProvider {
  unwrapped: Buffer[];
  /** Every unwrap waits for this. */
  gate: Promise<void>;
}

function countingProvider(): CountingProvider {
  const keys = createEnvironmentKeys(parseMasterKeys(`one:${randomBytes(32).toString('base64')}`));
  const counted: CountingProvider = {
    ...keys,
    unwrapped: [],
    gate: Promise.resolve(),
    unwrap: async (wrapped, context) => {
      await counted.gate;
      const bytes = await keys.unwrap(wrapped, context);
      counted.unwrapped.push(bytes);
      return bytes;
    },
  };
  return counted;
}

test('A new data key encrypts and decrypts, and only its wrapped form is returned.', async () => {
  const keys = createDataKeys(countingProvider());
  const stored = await keys.create('dk_1', 'ten_1');
  const envelope = await keys.use(stored, (key) => sealSecret(key, CONTEXT, new Secret('a value')));
  const opened = await keys.use(stored, async (key) => openSecret(key, CONTEXT, envelope));
  expect(opened.reveal()).toBe('a value');
  expect(Object.keys(stored)).toEqual(['id', 'tenantId', 'wrapped']);
  keys.close();
});

test('Concurrent uses of one key share one unwrap, and later ones the cached key.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider);
  const stored = await keys.create('dk_1', 'ten_1');
  const seen = await Promise.all(
    Array.from({ length: 50 }, () => keys.use(stored, (key) => Buffer.from(key.reveal()))),
  );
  await keys.use(stored, () => undefined);
  expect(provider.unwrapped).toHaveLength(1);
  expect(new Set(seen.map((bytes) => bytes.toString('hex'))).size).toBe(1);
  keys.close();
});

test('A cached key is not used for another tenant or another wrapped form.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider);
  const stored = await keys.create('dk_1', 'ten_1');
  const other = await keys.create('dk_1', 'ten_2');
  await keys.use(stored, () => undefined);
  await expect(keys.use({ ...stored, tenantId: 'ten_2' }, () => 'in')).rejects.toThrow(
    DataKeyUnreadableError,
  );
  await expect(keys.use({ ...stored, wrapped: other.wrapped }, () => 'in')).rejects.toThrow(
    DataKeyUnreadableError,
  );
  await keys.use(other, () => undefined);
  expect(provider.unwrapped).toHaveLength(2);
  keys.close();
});

test('An expired key is zero-filled even without another use, and unwrapped again on the next use.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider, { ttlMs: 50 });
  const stored = await keys.create('dk_1', 'ten_1');
  await keys.use(stored, () => undefined);
  expect(provider.unwrapped[0]?.equals(ZEROS)).toBe(false);
  await untilTrue('it is zero-filled', () => provider.unwrapped[0]?.equals(ZEROS) === true, 2_000);
  await keys.use(stored, () => undefined);
  expect(provider.unwrapped).toHaveLength(2);
  keys.close();
});

test('Use does not extend the lifetime of a cached key.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider, { ttlMs: 100 });
  const stored = await keys.create('dk_1', 'ten_1');
  for (let round = 0; round < 10; round++) {
    await keys.use(stored, () => undefined);
    await delay(25);
  }
  expect(provider.unwrapped.length).toBeGreaterThanOrEqual(2);
  keys.close();
});

test('The cache keeps at most `max` keys: the least recently used one is zero-filled.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider, { max: 2 });
  const stored = await Promise.all(['dk_1', 'dk_2', 'dk_3'].map((id) => keys.create(id, 'ten_1')));
  for (const one of stored) await keys.use(one, () => undefined);
  await delay(0);
  expect(provider.unwrapped.map((bytes) => bytes.equals(ZEROS))).toEqual([true, false, false]);
  keys.close();
});

test('A key that is dropped while it is unwrapped or in use stays valid until the last use ends.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider, { max: 1 });
  const [stored, other] = [await keys.create('dk_1', 'ten_1'), await keys.create('dk_2', 'ten_1')];
  let open = (): void => undefined;
  provider.gate = new Promise((resolve) => (open = resolve));
  const uses = [stored, other, stored, other].map((one) =>
    keys.use(one, async (key) => {
      await delay(20);
      return sealSecret(key, CONTEXT, new Secret(key.id));
    }),
  );
  keys.close();
  open();
  const envelopes = await Promise.all(uses);
  await delay(0);
  expect(provider.unwrapped).toHaveLength(4);
  for (const bytes of provider.unwrapped) expect(bytes.equals(ZEROS)).toBe(true);
  const again = createDataKeys(provider);
  for (const [index, one] of [stored, other].entries()) {
    const opened = await again.use(one, (key) => openSecret(key, CONTEXT, envelopes[index] ?? ''));
    expect(opened.reveal()).toBe(one.id);
  }
  again.close();
});

test('A failed unwrap rejects its waiters and is not cached; a failure of `work` does not drop the key.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider);
  const stored = await keys.create('dk_1', 'ten_1');
  provider.gate = Promise.reject(new Error('unavailable'));
  const failed = await Promise.allSettled([1, 2].map(() => keys.use(stored, () => 'in')));
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  provider.gate = Promise.resolve();
  const work = keys.use(stored, () => {
    throw new Error('work failed');
  });
  await expect(work).rejects.toThrow('work failed');
  await expect(keys.use(stored, () => 'in')).resolves.toBe('in');
  expect(provider.unwrapped).toHaveLength(1);
  keys.close();
});

test('After closing, all keys are zero-filled and every call is rejected.', async () => {
  const provider = countingProvider();
  const keys = createDataKeys(provider);
  const stored = await keys.create('dk_1', 'ten_1');
  await keys.use(stored, () => undefined);
  keys.close();
  await delay(0);
  expect(provider.unwrapped[0]?.equals(ZEROS)).toBe(true);
  await expect(keys.use(stored, () => 'in')).rejects.toMatchObject({ code: 'key_provider_closed' });
  await expect(keys.create('dk_2', 'ten_1')).rejects.toMatchObject({ code: 'key_provider_closed' });
});

test('Bounds that would keep keys forever are rejected.', () => {
  const provider = countingProvider();
  for (const bounds of [{ ttlMs: 0 }, { ttlMs: Infinity }, { ttlMs: 1.5 }, { max: 0 }, { max: Infinity }]) {
    expect(() => createDataKeys(provider, bounds)).toThrow(KeySettingsError);
  }
});

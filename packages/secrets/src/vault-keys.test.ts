import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { RetryableError } from '@turnpike/contract';
import { createUpstreamFetch } from '@turnpike/egress';
import { Secret } from '@turnpike/telemetry';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { DataKeyUnreadableError } from './errors.ts';
import { type TestVault, startTestVault } from './testing/test-vault.ts';

const TENANT = { tenantId: 'ten_1' };

let vault: TestVault;
beforeEach(async () => {
  vault = await startTestVault();
});
afterEach(() => vault.close());

test('It works with the fetch of egress, and the id contains mount, key and version.', async () => {
  const upstream = createUpstreamFetch({ idleTimeoutMs: 2_000 });
  const provider = vault.open({ fetch: upstream.fetch });
  const dataKey = randomBytes(32);
  const wrapped = await provider.wrap(dataKey, TENANT);
  expect(wrapped.keyId).toBe('vault:transit/turnpike:v1');
  expect(wrapped.ciphertext).toMatch(/^vault:v1:/);
  expect((await provider.unwrap(wrapped, TENANT)).equals(dataKey)).toBe(true);
  await upstream.close();
});

test('Nothing is sent before the first call.', () => {
  vault.open();
  expect(vault.server.seen).toEqual([]);
});

test('A key that ignores the context is detected before anything is wrapped with it.', async () => {
  const provider = vault.open({ key: 'plain' });
  const misconfigured = {
    code: 'key_provider_misconfigured',
    message: expect.stringContaining('derived=true'),
  };
  const dataKey = randomBytes(32);
  await expect(provider.wrap(dataKey, TENANT)).rejects.toMatchObject(misconfigured);
  await expect(provider.currentKeyId()).rejects.toMatchObject(misconfigured);
  const sent = vault.server.seen.map(({ fields }) => fields['plaintext']);
  expect(sent).not.toContain(dataKey.toString('base64'));
});

test('A Vault that ignores associated data is detected as well.', async () => {
  vault.server.transit.knowsAssociatedData = false;
  const provider = vault.open({ key: 'plain', binding: 'associated_data' });
  await expect(provider.wrap(randomBytes(32), TENANT)).rejects.toMatchObject({
    code: 'key_provider_misconfigured',
  });
});

test('The binding is verified once, and again if the verification failed.', async () => {
  const provider = vault.open({ maxAttempts: 1 });
  vault.server.sealed = true;
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_sealed' });
  vault.server.sealed = false;
  await Promise.all([1, 2, 3].map(() => provider.wrap(randomBytes(32), TENANT)));
  await provider.wrap(randomBytes(32), TENANT);
  expect(vault.server.count('transit/decrypt/turnpike')).toBe(1);
  expect(vault.server.count('transit/encrypt/turnpike')).toBe(1 + 4);
});

test('With a derived key, a rewrap happens inside Vault.', async () => {
  const provider = vault.open();
  const wrapped = await provider.wrap(randomBytes(32), TENANT);
  vault.server.transit.rotate('turnpike');
  vault.server.seen.length = 0;
  await provider.rewrap(wrapped, TENANT);
  expect(vault.server.seen.map(({ path }) => path)).toEqual(['transit/rewrap/turnpike']);
});

test('Unwrapping needs no permission to encrypt.', async () => {
  const wrapped = await vault.open().wrap(randomBytes(32), TENANT);
  vault.server.denied.add('transit/encrypt/turnpike');
  await expect(vault.open().unwrap(wrapped, TENANT)).resolves.toHaveLength(32);
});

test('A wrong tenant is a terminal error, also for versions of Vault that respond with 500.', async () => {
  const provider = vault.open();
  const wrapped = await provider.wrap(randomBytes(32), TENANT);
  for (const status of [400, 500]) {
    vault.server.undecryptableStatus = status;
    vault.server.seen.length = 0;
    await expect(provider.unwrap(wrapped, { tenantId: 'ten_2' })).rejects.toThrow(DataKeyUnreadableError);
    expect(vault.server.seen).toHaveLength(1);
  }
});

test('The namespace is sent with every request, including the login, and a wrong one is refused.', async () => {
  vault.server.namespace = 'team/a';
  const provider = vault.open({ namespace: 'team/a/' });
  await expect(provider.currentKeyId()).resolves.toBe('vault:transit/turnpike:v1');
  expect(new Set(vault.server.seen.map(({ headers }) => headers['x-vault-namespace']))).toEqual(
    new Set(['team/a']),
  );
  await expect(vault.open().currentKeyId()).rejects.toMatchObject({ code: 'key_provider_refused' });
});

test('Requests are retried while Vault is sealed or restarts, and after broken responses.', async () => {
  const provider = vault.open({ maxAttempts: 20, backoffCapMs: 100 });
  const dataKey = randomBytes(32);
  const wrapped = await provider.wrap(dataKey, TENANT);
  const disturbances: (() => Promise<void> | void)[] = [
    () => void vault.server.faults.push('disconnect', { status: 502 }, { status: 500 }, { status: 412 }),
    () => void vault.server.faults.push({ status: 307, headers: { location: 'http://127.0.0.1:1/' } }),
    () => {
      vault.server.sealed = true;
      setTimeout(() => (vault.server.sealed = false), 300);
    },
    async () => {
      await vault.server.stop();
      setTimeout(() => void vault.server.start(), 300);
    },
  ];
  for (const disturb of disturbances) {
    await disturb();
    expect((await provider.unwrap(wrapped, TENANT)).equals(dataKey)).toBe(true);
    expect(vault.server.faults).toEqual([]);
  }
});

test('After `maxAttempts` a request fails with a retryable error.', async () => {
  const provider = vault.open({ maxAttempts: 3 });
  const wrapped = await provider.wrap(randomBytes(32), TENANT);
  vault.server.seen.length = 0;
  vault.server.sealed = true;
  const unwrapping = provider.unwrap(wrapped, TENANT);
  await expect(unwrapping).rejects.toThrow(RetryableError);
  await expect(unwrapping).rejects.toMatchObject({ code: 'key_provider_sealed', retryAfterMs: 5_000 });
  expect(vault.server.seen).toHaveLength(3);
  await vault.server.stop();
  await expect(provider.unwrap(wrapped, TENANT)).rejects.toMatchObject({
    code: 'key_provider_unreachable',
    message: 'Vault did not respond: ECONNREFUSED.',
  });
});

test('A request without a response ends at the timeout.', async () => {
  const provider = vault.open({ timeoutMs: 100 });
  await provider.currentKeyId();
  vault.server.faults.push('silence');
  const started = Date.now();
  await expect(provider.currentKeyId()).resolves.toBeDefined();
  expect(Date.now() - started).toBeGreaterThanOrEqual(95);
  expect(Date.now() - started).toBeLessThan(4_500);
});

test('Retry-After is honoured, and no attempt is made after the deadline.', async () => {
  const provider = vault.open({ deadlineMs: 1_900 });
  await provider.currentKeyId();
  vault.server.faults.push({ status: 429, headers: { 'retry-after': '1' } });
  const started = Date.now();
  await provider.currentKeyId();
  expect(Date.now() - started).toBeGreaterThanOrEqual(990);
  vault.server.faults.push({ status: 429, headers: { 'retry-after': '60' } });
  const refused = provider.currentKeyId();
  await expect(refused).rejects.toMatchObject({ code: 'key_provider_failed', retryAfterMs: 60_000 });
});

test('A missing key, a missing engine and a refusing policy give different errors, and are not retried.', async () => {
  const cases = [
    [{ key: 'absent' }, 'key_provider_misconfigured', 'no key with this name'],
    [{ mount: 'elsewhere' }, 'key_provider_misconfigured', '404'],
    [{ auth: { method: 'token', token: new Secret('hvs.unknown') } }, 'key_provider_refused', 'policy'],
  ] as const;
  for (const [settings, code, words] of cases) {
    const asking = vault.open(settings).currentKeyId();
    await expect(asking).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  }
  expect(vault.server.seen).toHaveLength(6);
});

test('A response that is not from Vault is an error, never a key.', async () => {
  const provider = vault.open({ maxAttempts: 1 });
  const wrapped = await provider.wrap(randomBytes(32), TENANT);
  for (const body of [
    '',
    '<html>',
    '{}',
    '[]',
    'null',
    '{"data":{"plaintext":7}}',
    '{"data":{"plaintext":"%%"}}',
  ]) {
    vault.server.faults.push({ status: 200, body });
    await expect(provider.unwrap(wrapped, TENANT)).rejects.toMatchObject({ code: 'key_provider_failed' });
  }
});

test('Closing ends running requests, and nothing is sent afterwards.', async () => {
  const provider = vault.open();
  await provider.currentKeyId();
  vault.server.faults.push('silence');
  const waiting = Promise.allSettled([provider.currentKeyId()]);
  await untilTrue('the request is sent', () => vault.server.faults.length === 0);
  provider.close();
  expect(await waiting).toMatchObject([{ reason: { code: 'key_provider_closed' } }]);
  const seen = vault.server.seen.length;
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_closed' });
  expect(vault.server.seen).toHaveLength(seen);
});

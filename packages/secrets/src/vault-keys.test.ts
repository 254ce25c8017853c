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

test('The fetch of egress is all that it needs, and the id names mount, key and version.', async () => {
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

test('A key that ignores the context is found out before anything is wrapped with it.', async () => {
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

test('A Vault that does not know associated data is found out as well.', async () => {
  vault.server.transit.knowsAssociatedData = false;
  const provider = vault.open({ key: 'plain', binding: 'associated_data' });
  await expect(provider.wrap(randomBytes(32), TENANT)).rejects.toMatchObject({
    code: 'key_provider_misconfigured',
  });
});

test('That Vault binds is proven once, and again after a proof that failed.', async () => {
  const provider = vault.open({ maxAttempts: 1 });
  vault.server.sealed = true;
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_sealed' });
  vault.server.sealed = false;
  await Promise.all([1, 2, 3].map(() => provider.wrap(randomBytes(32), TENANT)));
  await provider.wrap(randomBytes(32), TENANT);
  expect(vault.server.count('transit/decrypt/turnpike')).toBe(1);
  expect(vault.server.count('transit/encrypt/turnpike')).toBe(1 + 4);
});

test('With a derived key the data key stays in Vault when it is rewrapped.', async () => {
  const provider = vault.open();
  const wrapped = await provider.wrap(randomBytes(32), TENANT);
  vault.server.transit.rotate('turnpike');
  vault.server.seen.length = 0;
  await provider.rewrap(wrapped, TENANT);
  expect(vault.server.seen.map(({ path }) => path)).toEqual(['transit/rewrap/turnpike']);
});

test('Unwrapping needs no right to encrypt.', async () => {
  const wrapped = await vault.open().wrap(randomBytes(32), TENANT);
  vault.server.denied.add('transit/encrypt/turnpike');
  await expect(vault.open().unwrap(wrapped, TENANT)).resolves.toHaveLength(32);
});

test('A wrong tenant is final, also for versions of Vault that call it an error of theirs.', async () => {
  const provider = vault.open();
  const wrapped = await provider.wrap(randomBytes(32), TENANT);
  for (const status of [400, 500]) {
    vault.server.unopenedStatus = status;
    vault.server.seen.length = 0;
    await expect(provider.unwrap(wrapped, { tenantId: 'ten_2' })).rejects.toThrow(DataKeyUnreadableError);
    expect(vault.server.seen).toHaveLength(1);
  }
});

test('The namespace goes with every request, the login included, and a wrong one is refused.', async () => {
  vault.server.namespace = 'team/a';
  const provider = vault.open({ namespace: 'team/a/' });
  await expect(provider.currentKeyId()).resolves.toBe('vault:transit/turnpike:v1');
  expect(new Set(vault.server.seen.map(({ headers }) => headers['x-vault-namespace']))).toEqual(
    new Set(['team/a']),
  );
  await expect(vault.open().currentKeyId()).rejects.toMatchObject({ code: 'key_provider_refused' });
});

test('A sealed period, a restart and broken answers are waited out.', async () => {
  const provider = vault.open({ maxAttempts: 20, backoffCapMs: 100 });
  const dataKey = randomBytes(32);
  const wrapped = await provider.wrap(dataKey, TENANT);
  const trials: (() => Promise<void> | void)[] = [
    () => void vault.server.faults.push('cut', { status: 502 }, { status: 500 }, { status: 412 }),
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
  for (const trial of trials) {
    await trial();
    expect((await provider.unwrap(wrapped, TENANT)).equals(dataKey)).toBe(true);
    expect(vault.server.faults).toEqual([]);
  }
});

test('What does not end is given up after so many attempts, with an error that is worth a later try.', async () => {
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
    message: 'Vault gave no answer: ECONNREFUSED.',
  });
});

test('An answer that does not come is not waited for longer than the timeout.', async () => {
  const provider = vault.open({ timeoutMs: 100 });
  await provider.currentKeyId();
  vault.server.faults.push('silence');
  const started = Date.now();
  await expect(provider.currentKeyId()).resolves.toBeDefined();
  expect(Date.now() - started).toBeGreaterThanOrEqual(95);
  expect(Date.now() - started).toBeLessThan(1_500);
});

test('The time that Vault asks for is kept, and no attempt is made that would come too late.', async () => {
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

test('Missing keys, missing engines and a policy that says no are told apart, and are not asked for again.', async () => {
  const cases = [
    [{ key: 'absent' }, 'key_provider_misconfigured', 'no key of this name'],
    [{ mount: 'elsewhere' }, 'key_provider_misconfigured', '404'],
    [{ auth: { method: 'token', token: new Secret('hvs.unknown') } }, 'key_provider_refused', 'policy'],
  ] as const;
  for (const [settings, code, words] of cases) {
    const asking = vault.open(settings).currentKeyId();
    await expect(asking).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  }
  expect(vault.server.seen).toHaveLength(6);
});

test('An answer that is not of Vault is an error and never a key.', async () => {
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

test('Closing ends what is under way, and nothing is sent after it.', async () => {
  const provider = vault.open();
  await provider.currentKeyId();
  vault.server.faults.push('silence');
  const waiting = Promise.allSettled([provider.currentKeyId()]);
  await untilTrue('it is under way', () => vault.server.faults.length === 0);
  provider.close();
  expect(await waiting).toMatchObject([{ reason: { code: 'key_provider_closed' } }]);
  const seen = vault.server.seen.length;
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_closed' });
  expect(vault.server.seen).toHaveLength(seen);
});

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Secret } from '@turnpike/telemetry';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { appRole, ROLE_ID, SECRET_ID, type TestVault, startTestVault } from './testing/test-vault.ts';

const LOGIN = 'auth/approle/login';
const RENEW = 'auth/token/renew-self';

let vault: TestVault;
beforeEach(async () => {
  vault = await startTestVault();
});
afterEach(() => vault.close());

test('Concurrent calls share one AppRole login, which is sent without a token.', async () => {
  const provider = vault.open({ auth: appRole() });
  await Promise.all(
    [1, 2, 3, 4].map((tenant) => provider.wrap(randomBytes(32), { tenantId: `ten_${tenant}` })),
  );
  expect(vault.server.count(LOGIN)).toBe(1);
  const [login] = vault.server.seen;
  expect(login?.fields).toEqual({ role_id: ROLE_ID, secret_id: SECRET_ID });
  expect(login?.headers).not.toHaveProperty('x-vault-token');
});

test('A token is renewed before it expires, even in an idle process.', async () => {
  vault.server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 1, renewable: true });
  const provider = vault.open({ auth: appRole() });
  await provider.currentKeyId();
  await untilTrue('it is renewed three times', () => vault.server.count(RENEW) >= 3);
  await provider.currentKeyId();
  expect(vault.server.count(LOGIN)).toBe(1);
});

test('If renewals extend the token only a little, the AppRole logs in again before it expires.', async () => {
  vault.server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 2, renewable: true, maxTtl: 3 });
  const provider = vault.open({ auth: appRole() });
  await provider.currentKeyId();
  await untilTrue('it logs in again', () => vault.server.count(LOGIN) >= 2);
  vault.server.seen.length = 0;
  await provider.currentKeyId();
  expect(vault.server.seen.map(({ path }) => path)).toEqual(['transit/encrypt/turnpike']);
});

test('A token that cannot be renewed is replaced before it expires.', async () => {
  vault.server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 1, renewable: false });
  const provider = vault.open({ auth: appRole() });
  await provider.currentKeyId();
  await untilTrue('it logs in again', () => vault.server.count(LOGIN) >= 3);
  expect(vault.server.count(RENEW)).toBe(0);
});

test('A revoked token is replaced by one login for all calls that were refused.', async () => {
  const provider = vault.open({ auth: appRole() });
  await provider.currentKeyId();
  vault.server.tokens.revokeAll();
  await Promise.all([1, 2, 3, 4, 5].map(() => provider.currentKeyId()));
  expect(vault.server.count(LOGIN)).toBe(2);
});

test('A token that expired while Vault was unavailable is replaced afterwards.', async () => {
  vault.server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 1, renewable: true });
  const failures: Error[] = [];
  const provider = vault.open({
    auth: appRole(),
    maxAttempts: 1,
    onRenewalFailure: (error) => void failures.push(error),
  });
  await provider.currentKeyId();
  vault.server.sealed = true;
  await untilTrue('a renewal fails', () => failures.length > 0);
  await delay(1_000);
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_sealed' });
  vault.server.sealed = false;
  await expect(provider.currentKeyId()).resolves.toBeDefined();
});

test('A failed renewal is retried before the token expires.', async () => {
  vault.server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 3, renewable: true });
  const failures: Error[] = [];
  const provider = vault.open({
    auth: appRole(),
    maxAttempts: 1,
    onRenewalFailure: (error) => void failures.push(error),
  });
  await provider.currentKeyId();
  vault.server.faults.push({ status: 500 });
  await untilTrue('it is renewed', () => vault.server.count(RENEW) === 2);
  expect(failures).toMatchObject([{ code: 'key_provider_failed' }]);
  expect(vault.server.count(LOGIN)).toBe(1);
});

test('A refused AppRole gives an error without credentials, and a later call logs in again.', async () => {
  const provider = vault.open({ auth: appRole('a-wrong-secret-id') });
  await expect(provider.currentKeyId()).rejects.toMatchObject({
    code: 'key_provider_refused',
    message: 'Vault refused the login of the AppRole (400).',
  });
  vault.server.tokens.addRole(ROLE_ID, 'a-wrong-secret-id', { ttl: 60, renewable: true });
  await expect(provider.currentKeyId()).resolves.toBeDefined();
});

test('A refusing policy causes at most one new login per call.', async () => {
  const provider = vault.open({ auth: appRole() });
  vault.server.denied.add('transit/encrypt/turnpike');
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_refused' });
  expect(vault.server.count(LOGIN)).toBe(2);
});

test('The lifetime of a configured token is looked up, and the token renewed.', async () => {
  const token = new Secret(vault.server.tokens.issue({ ttl: 1, renewable: true }));
  const provider = vault.open({ auth: { method: 'token', token } });
  await provider.currentKeyId();
  await untilTrue('it is renewed twice', () => vault.server.count(RENEW) >= 2);
  await expect(provider.currentKeyId()).resolves.toBeDefined();
});

test('A configured token without permission to look itself up is used nevertheless.', async () => {
  vault.server.denied.add('auth/token/lookup-self');
  await expect(vault.open().currentKeyId()).resolves.toBeDefined();
});

test('A failed renewal of a configured token is reported before it expires; calls are refused afterwards.', async () => {
  const failures: Error[] = [];
  const token = new Secret(vault.server.tokens.issue({ ttl: 1, renewable: false }));
  const provider = vault.open({
    auth: { method: 'token', token },
    onRenewalFailure: (error) => void failures.push(error),
  });
  await provider.currentKeyId();
  await untilTrue('the failure is reported', () => failures.length > 0);
  await expect(provider.currentKeyId()).resolves.toBeDefined();
  expect(failures[0]).toMatchObject({ code: 'key_provider_refused' });
  await delay(1_000);
  await expect(provider.currentKeyId()).rejects.toMatchObject({ code: 'key_provider_refused' });
});

test('After closing, nothing is renewed.', async () => {
  vault.server.tokens.addRole(ROLE_ID, SECRET_ID, { ttl: 1, renewable: true });
  const provider = vault.open({ auth: appRole() });
  await provider.currentKeyId();
  provider.close();
  const seen = vault.server.seen.length;
  await delay(1_200);
  expect(vault.server.seen).toHaveLength(seen);
});

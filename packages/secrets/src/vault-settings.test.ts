import { expect, test } from '@jest/globals';
import { Secret } from '@turnpike/telemetry';
import { KeySettingsError } from './errors.ts';
import { createVaultKeys } from './vault-keys.ts';
import type { VaultSettings } from './vault-settings.ts';

const GOOD: VaultSettings = {
  fetch,
  address: 'https://vault.example:8200',
  key: 'turnpike',
  auth: { method: 'token', token: new Secret('hvs.test-token') },
};

test('Valid settings are accepted, including a mount with slashes and a namespace with a trailing slash.', () => {
  for (const more of [
    {},
    { mount: 'team/transit' },
    { namespace: 'admin/' },
    { address: 'https://[::1]/' },
  ]) {
    expect(() => createVaultKeys({ ...GOOD, ...more }).close()).not.toThrow();
  }
});

test('Plain http is allowed only to this machine, unless `plainHttp` is set.', () => {
  for (const address of ['http://127.0.0.1:8200', 'http://localhost:8200', 'http://[::1]:8200']) {
    expect(issuesOf({ ...GOOD, address })).toEqual([]);
  }
  for (const address of ['http://vault:8200', 'http://127.0.0.1.example', 'http://localhost.example']) {
    expect(issuesOf({ ...GOOD, address })).toEqual(['address must be https, or plainHttp must be set']);
    expect(issuesOf({ ...GOOD, address, plainHttp: true })).toEqual([]);
  }
});

test('An address has only a scheme, a host and a port: no path, query or password.', () => {
  const bad = [
    'vault',
    'ftp://vault',
    'https://u:secret-pw@vault',
    'https://vault/v1',
    'https://vault/?a=1',
    '',
  ];
  for (const address of bad) {
    const issues = issuesOf({ ...GOOD, address });
    expect(issues).toEqual([
      'address must be a URL of http or https with a host and a port, and nothing else',
    ]);
  }
});

test('A mount, key or namespace that would change the path is rejected.', () => {
  for (const text of ['', '..', 'a/../b', '/a', 'a//b', 'a?b', 'a#b', 'a b', 'a%2fb', 'a\nb', 'ä']) {
    expect(issuesOf({ ...GOOD, mount: text })).toHaveLength(1);
    expect(issuesOf({ ...GOOD, namespace: text })).toHaveLength(1);
    expect(issuesOf({ ...GOOD, key: text })).not.toHaveLength(0);
  }
  expect(issuesOf({ ...GOOD, key: 'a/b' })).toEqual(['key must have no slash']);
});

test('All mistakes are reported at once, without any value.', () => {
  const settings: unknown = {
    fetch: 'not a function',
    address: 'https://user:a-password@vault',
    key: 'a key',
    token: 'hvs.in-the-wrong-field',
    auth: { method: 'token', token: 'hvs.as-plain-text' },
    timeoutMs: 0,
  };
  const issues = issuesOf(settings as VaultSettings);
  for (const name of ['fetch', 'address', 'key', 'auth.token', 'timeoutMs', '"token"']) {
    expect(issues.join('\n')).toContain(name);
  }
  expect(issues.join('\n')).not.toMatch(/hvs|a-password|a key/);
});

test('A token that is not a valid header value is rejected without being quoted.', () => {
  for (const token of ['', 'hvs.a b', 'hvs.line\n', 'hvs.ü']) {
    const issues = issuesOf({ ...GOOD, auth: { method: 'token', token: new Secret(token) } });
    expect(issues).toEqual(['auth.token must be visible ASCII characters, at least one']);
  }
});

function issuesOf(settings: VaultSettings): string[] {
  try {
    createVaultKeys(settings).close();
  } catch (error) {
    if (error instanceof KeySettingsError)
      return error.issues.map(({ path, message }) => `${path} ${message}`);
    throw error;
  }
  return [];
}

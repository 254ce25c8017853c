import { expect, test } from '@jest/globals';
import { Secret } from '@turnpike/telemetry';
import { KeySettingsError } from './errors.ts';
import { createVaultKeys } from './vault-keys.ts';
import type { VaultSettings } from './vault-settings.ts';

const GOOD: VaultSettings = {
  fetch,
  address: 'https://vault.example:8200',
  key: 'turnpike',
  auth: { method: 'token', token: new Secret('hvs.of-the-test') },
};

test('Settings that can be used are taken, a mount with slashes and a namespace with one at its end too.', () => {
  for (const more of [
    {},
    { mount: 'team/transit' },
    { namespace: 'admin/' },
    { address: 'https://[::1]/' },
  ]) {
    expect(() => createVaultKeys({ ...GOOD, ...more }).close()).not.toThrow();
  }
});

test('Plain http is for this machine, unless it is asked for.', () => {
  for (const address of ['http://127.0.0.1:8200', 'http://localhost:8200', 'http://[::1]:8200']) {
    expect(issuesOf({ ...GOOD, address })).toEqual([]);
  }
  for (const address of ['http://vault:8200', 'http://127.0.0.1.example', 'http://localhost.example']) {
    expect(issuesOf({ ...GOOD, address })).toEqual(['address must be https, or plainHttp must be set']);
    expect(issuesOf({ ...GOOD, address, plainHttp: true })).toEqual([]);
  }
});

test('An address is a scheme, a host and a port: nothing that would change a path or show a password.', () => {
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

test('Nothing that would lead to another path is taken for a mount, a key or a namespace.', () => {
  for (const text of ['', '..', 'a/../b', '/a', 'a//b', 'a?b', 'a#b', 'a b', 'a%2fb', 'a\nb', 'ä']) {
    expect(issuesOf({ ...GOOD, mount: text })).toHaveLength(1);
    expect(issuesOf({ ...GOOD, namespace: text })).toHaveLength(1);
    expect(issuesOf({ ...GOOD, key: text })).not.toHaveLength(0);
  }
  expect(issuesOf({ ...GOOD, key: 'a/b' })).toEqual(['key must have no slash']);
});

test('Every mistake is named at once, and none quotes a value.', () => {
  const settings: unknown = {
    fetch: 'not a function',
    address: 'https://user:a-password@vault',
    key: 'a key',
    token: 'hvs.at-the-wrong-place',
    auth: { method: 'token', token: 'hvs.as-plain-text' },
    timeoutMs: 0,
  };
  const issues = issuesOf(settings as VaultSettings);
  for (const name of ['fetch', 'address', 'key', 'auth.token', 'timeoutMs', '"token"']) {
    expect(issues.join('\n')).toContain(name);
  }
  expect(issues.join('\n')).not.toMatch(/hvs|a-password|a key/);
});

test('A token that could not be a header is refused before a client can quote it.', () => {
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

import { expect, test } from '@jest/globals';
import { keySettingsSchema } from './key-settings.ts';

const KEYS = `main:${Buffer.alloc(32, 'a key for the test').toString('base64')}`;
const VAULT = { TURNPIKE_KEY_PROVIDER: 'vault', VAULT_ADDR: 'https://vault.example:8200' };

const mistakes = (environment: Record<string, string>): string[] =>
  keySettingsSchema
    .safeParse(environment)
    .error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`) ?? [];

test('the master keys come from the environment by default', () => {
  expect(keySettingsSchema.parse({ TURNPIKE_MASTER_KEYS: KEYS })).toMatchObject({
    provider: 'environment',
    masterKeys: [{ id: 'main' }],
  });
  expect(mistakes({})).toEqual([expect.stringContaining('TURNPIKE_MASTER_KEYS')]);
  expect(mistakes({ TURNPIKE_KEY_PROVIDER: 'aws' })).toEqual([
    expect.stringContaining('TURNPIKE_KEY_PROVIDER'),
  ]);
});

test('Vault is configured by its own variables, with a token or with an AppRole', () => {
  expect(keySettingsSchema.parse({ ...VAULT, VAULT_TOKEN: 'hvs.x', VAULT_NAMESPACE: 'team' })).toMatchObject({
    provider: 'vault',
    vault: {
      address: 'https://vault.example:8200',
      key: 'turnpike',
      namespace: 'team',
      auth: { method: 'token' },
    },
  });
  const role = { VAULT_ROLE_ID: 'role', VAULT_SECRET_ID: 'its secret' };
  const settings = keySettingsSchema.parse({ ...VAULT, ...role, VAULT_CACERT: '/etc/ca.pem' });
  expect(settings).toMatchObject({
    caFile: '/etc/ca.pem',
    vault: { auth: { method: 'approle', roleId: 'role' } },
  });
  expect(JSON.stringify(settings)).not.toContain('its secret');
});

test.each([
  ['nothing to log in with', {}],
  ['half an AppRole', { VAULT_ROLE_ID: 'role' }],
  ['a token and an AppRole', { VAULT_TOKEN: 't', VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's' }],
])('%s is an error that says what is required', (_title, given) => {
  expect(mistakes({ ...VAULT, ...given })).toEqual([expect.stringContaining('VAULT_TOKEN is required')]);
});

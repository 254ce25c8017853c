import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { masterKeysSchema } from './master-keys.ts';

const keyProvider = { description: 'Where the master keys are: `environment` or `vault`.' };

const environmentVariables = z.object({
  TURNPIKE_KEY_PROVIDER: z.literal('environment').meta(keyProvider),
  TURNPIKE_MASTER_KEYS: masterKeysSchema.describe(
    "The keys that wrap tenants' data keys: `id:base64 of 32 bytes`, comma-separated, the current one first.",
  ),
});

const environmentKeys = environmentVariables.transform(({ TURNPIKE_MASTER_KEYS: masterKeys }) => ({
  provider: 'environment' as const,
  masterKeys,
}));

const secret = z
  .string()
  .min(1)
  .transform((text) => new Secret(text));
const flag = z.enum(['true', 'false']).transform((word) => word === 'true');

/** The `VAULT_*` names are those that Vault's own programs read. */
const vaultVariables = z.object({
  TURNPIKE_KEY_PROVIDER: z.literal('vault').meta(keyProvider),
  VAULT_ADDR: z.url({ protocol: /^https?$/ }).describe('URL of Vault.'),
  VAULT_NAMESPACE: z.string().optional().describe('Namespace of Vault Enterprise.'),
  VAULT_CACERT: z
    .string()
    .optional()
    .describe('Path of a PEM file with the only authorities that are trusted for Vault.')
    .meta({ unset: "Node's" }),
  VAULT_TOKEN: secret.optional().describe('A token. It is renewed as long as Vault allows.'),
  VAULT_ROLE_ID: z.string().optional().describe('Role id of an AppRole, instead of a token.'),
  VAULT_SECRET_ID: secret.optional().describe('The secret id of the AppRole.'),
  TURNPIKE_VAULT_APPROLE_MOUNT: z.string().default('approle').describe('Mount of the AppRole login.'),
  TURNPIKE_VAULT_MOUNT: z.string().default('transit').describe('Mount of the transit engine.'),
  TURNPIKE_VAULT_KEY: z.string().default('turnpike').describe('Name of the transit key.'),
  TURNPIKE_VAULT_BINDING: z
    .enum(['context', 'associated_data'])
    .default('context')
    .describe(
      'How a data key is bound to its tenant. `context` requires a key that was created with `derived=true`.',
    ),
  TURNPIKE_VAULT_PLAIN_HTTP: flag
    .prefault('false')
    .describe(
      '`true` allows plain http to another machine: data keys and tokens are then readable on the network.',
    ),
});

/** All variables about the master keys, for the settings reference. */
export const keyVariables = [environmentVariables, vaultVariables] as const;

const vaultKeys = vaultVariables.transform((given, context) => {
  const auth = readAuth(given);
  if (auth === null) {
    const message = 'is required, or both VAULT_ROLE_ID and VAULT_SECRET_ID, but not both methods';
    context.issues.push({ code: 'custom', path: ['VAULT_TOKEN'], message, input: undefined });
    return z.NEVER;
  }
  return {
    provider: 'vault' as const,
    caFile: given.VAULT_CACERT,
    vault: {
      address: given.VAULT_ADDR.replace(/\/$/, ''),
      plainHttp: given.TURNPIKE_VAULT_PLAIN_HTTP,
      namespace: given.VAULT_NAMESPACE,
      mount: given.TURNPIKE_VAULT_MOUNT,
      key: given.TURNPIKE_VAULT_KEY,
      binding: given.TURNPIKE_VAULT_BINDING,
      auth,
    },
  };
});

/** The key provider that the environment configures. No issue contains a value. */
export const keySettingsSchema = z.preprocess(
  (environment) => Object.assign({ TURNPIKE_KEY_PROVIDER: 'environment' }, environment),
  z.discriminatedUnion('TURNPIKE_KEY_PROVIDER', [environmentKeys, vaultKeys]),
);
export type KeySettings = z.output<typeof keySettingsSchema>;

interface GivenAuth {
  VAULT_TOKEN?: Secret | undefined;
  VAULT_ROLE_ID?: string | undefined;
  VAULT_SECRET_ID?: Secret | undefined;
  TURNPIKE_VAULT_APPROLE_MOUNT: string;
}

/** Null unless there is either a token, or both parts of an AppRole. */
function readAuth({
  VAULT_TOKEN: token,
  VAULT_ROLE_ID: roleId,
  VAULT_SECRET_ID: secretId,
  TURNPIKE_VAULT_APPROLE_MOUNT: mount,
}: GivenAuth) {
  if (token !== undefined) {
    return roleId === undefined && secretId === undefined ? { method: 'token' as const, token } : null;
  }
  if (roleId === undefined || secretId === undefined) return null;
  return { method: 'approle' as const, mount, roleId, secretId };
}

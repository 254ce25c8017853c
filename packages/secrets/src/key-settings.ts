import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { masterKeysSchema } from './master-keys.ts';

const environmentKeys = z
  .object({
    TURNPIKE_KEY_PROVIDER: z.literal('environment'),
    /** `id:base64 of 32 bytes`, comma-separated, the current one first: what tenants' keys are wrapped with. */
    TURNPIKE_MASTER_KEYS: masterKeysSchema,
  })
  .transform(({ TURNPIKE_MASTER_KEYS: masterKeys }) => ({ provider: 'environment' as const, masterKeys }));

const secret = z
  .string()
  .min(1)
  .transform((text) => new Secret(text));
const flag = z.enum(['true', 'false']).transform((word) => word === 'true');

/** `VAULT_*` are the names that Vault's own programs read. */
const vaultKeys = z
  .object({
    TURNPIKE_KEY_PROVIDER: z.literal('vault'),
    VAULT_ADDR: z.url({ protocol: /^https?$/ }),
    VAULT_NAMESPACE: z.string().optional(),
    /** A file of certificates (PEM) that are trusted, and no others. */
    VAULT_CACERT: z.string().optional(),
    VAULT_TOKEN: secret.optional(),
    VAULT_ROLE_ID: z.string().optional(),
    VAULT_SECRET_ID: secret.optional(),
    TURNPIKE_VAULT_APPROLE_MOUNT: z.string().default('approle'),
    TURNPIKE_VAULT_MOUNT: z.string().default('transit'),
    TURNPIKE_VAULT_KEY: z.string().default('turnpike'),
    TURNPIKE_VAULT_BINDING: z.enum(['context', 'associated_data']).default('context'),
    /** Lets data keys and tokens pass the network in the clear. */
    TURNPIKE_VAULT_PLAIN_HTTP: flag.default(false),
  })
  .transform((given, context) => {
    const auth = readAuth(given);
    if (auth === null) {
      const message = 'is needed, or VAULT_ROLE_ID and VAULT_SECRET_ID are, and not all of them';
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

/** Who holds the master keys, as the environment of a program says it. An issue quotes no value. */
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

/** Null unless it is a token, or an AppRole with both of its parts. */
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

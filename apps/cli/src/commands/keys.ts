import { scopeSchema, type ApiKey } from '@turnpike/contract';
import { createApiKey, listApiKeys, revokeApiKey } from '@turnpike/store';
import { z } from 'zod';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { requireTenant } from './tenants.ts';

export interface NewKeyOptions {
  name: string;
  scope: string[];
  expiresInDays?: string;
}

const optionsSchema = z.object({
  name: z.string().min(1).max(200),
  scope: z.array(scopeSchema).min(1),
  expiresInDays: z.coerce.number().int().min(1).max(3_650).optional(),
});

/** Makes a key and prints it, alone on standard output; what there is to say of it goes beside. */
export async function addKey(tenant: string, given: NewKeyOptions): Promise<void> {
  const options = optionsSchema.safeParse(given);
  if (!options.success) {
    throw new Failure(
      `That key cannot be made: ${options.error.issues.map((issue) => issue.message).join('; ')}.`,
    );
  }
  const { name, scope: scopes, expiresInDays } = options.data;
  const expiresInSeconds = expiresInDays === undefined ? undefined : expiresInDays * 24 * 60 * 60;
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const tenantId = await requireTenant(database, tenant);
    const { apiKey, key } = await createApiKey(database.pool, { tenantId, name, scopes, expiresInSeconds });
    process.stderr.write(`${apiKey.id}: shown this once, since only its hash is kept.\n`);
    say(key);
  });
}

/** Prints a line for each key of a tenant, the oldest first. */
export async function printKeys(tenant: string): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    for (const key of await listApiKeys(database, await requireTenant(database, tenant))) {
      const scopes = key.scopes.join(',');
      say(`${key.id}  …${key.last_four}  ${key.created_at}  ${stateOf(key)}  ${scopes}  ${key.name}`);
    }
  });
}

function stateOf(key: ApiKey): string {
  if (key.revoked_at !== null) return `revoked ${key.revoked_at}`;
  return key.expires_at === null ? 'valid' : `until ${key.expires_at}`;
}

/** Makes a key worthless. */
export async function endKey(keyId: string): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    if (!(await revokeApiKey(database.pool, keyId))) throw new Failure(`There is no valid key ${keyId}.`);
    say(`Revoked ${keyId}.`);
  });
}

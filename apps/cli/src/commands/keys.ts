import { scopeSchema, type ApiKey } from '@turnpike/contract';
import { createApiKey, insertAuditEntry, listApiKeys, revokeApiKey, transaction } from '@turnpike/store';
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

/** Creates a key and prints it on standard output, and everything else on standard error. */
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
    const { apiKey, key } = await transaction(database.pool, async (sql) => {
      const created = await createApiKey(sql, { tenantId, name, scopes, expiresInSeconds });
      const act = { tenantId, action: 'api_key.created', subject: created.apiKey.id };
      await insertAuditEntry(sql, { ...act, actor: { type: 'operator' }, details: { name, scopes } });
      return created;
    });
    process.stderr.write(`${apiKey.id}: shown this once, since only its hash is kept.\n`);
    say(key);
  });
}

/** Prints a line for each key of a tenant, oldest first. */
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

/** Revokes a key. */
export async function endKey(keyId: string): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    await transaction(database.pool, async (sql) => {
      const tenantId = await revokeApiKey(sql, keyId);
      if (tenantId === null) throw new Failure(`There is no valid key ${keyId}.`);
      const act = { tenantId, action: 'api_key.revoked', subject: keyId };
      await insertAuditEntry(sql, { ...act, actor: { type: 'operator' } });
    });
    say(`Revoked ${keyId}.`);
  });
}

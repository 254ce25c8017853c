import { createApiKey, listApiKeys, revokeApiKey } from '@turnpike/store';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { requireTenant } from './tenants.ts';

/** Makes a key and prints it, alone on standard output; what there is to say of it goes beside. */
export async function addKey(tenant: string, name: string): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const { id, key } = await createApiKey(database, {
      tenantId: await requireTenant(database, tenant),
      name,
    });
    process.stderr.write(`${id}: shown this once, since only its hash is kept.\n`);
    say(key);
  });
}

/** Prints a line for each key of a tenant, the oldest first. */
export async function printKeys(tenant: string): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    for (const key of await listApiKeys(database, await requireTenant(database, tenant))) {
      const state = key.revokedAt === null ? 'valid' : `revoked ${key.revokedAt.toISOString()}`;
      say(`${key.id}  …${key.lastFour}  ${key.createdAt.toISOString()}  ${state}  ${key.name}`);
    }
  });
}

/** Makes a key worthless. */
export async function endKey(keyId: string): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    if (!(await revokeApiKey(database, keyId))) throw new Failure(`There is no valid key ${keyId}.`);
    say(`Revoked ${keyId}.`);
  });
}

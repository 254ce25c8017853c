import { createTenant, findTenants, listTenants, setOperatorKey, type Database } from '@turnpike/store';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';

/** Makes a tenant and prints its id. A name is taken once, so that it can be used for the id. */
export async function addTenant(
  name: string,
  { operatorKey = false }: { operatorKey?: boolean },
): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const [taken] = await findTenants(database, name);
    if (taken !== undefined) throw new Failure(`There is a tenant ${name} already: ${taken.id}.`);
    say(await createTenant(database, name, { operatorKey }));
  });
}

/** Changes what only the operator decides about a tenant, and says how it is now. */
export async function setTenant(tenant: string, { operatorKey }: { operatorKey?: boolean }): Promise<void> {
  if (operatorKey === undefined) throw new Failure('Nothing to set: see turnpike tenants set --help.');
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const id = await requireTenant(database, tenant);
    await setOperatorKey(database, id, operatorKey);
    say(`${id}  operator key ${operatorKey ? 'on' : 'off'}`);
  });
}

/** Prints a line for each tenant, the oldest first. */
export async function printTenants(): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    for (const { id, name, operatorKey, createdAt } of await listTenants(database)) {
      say(`${id}  ${createdAt.toISOString()}  operator key ${operatorKey ? 'on ' : 'off'}  ${name}`);
    }
  });
}

/** The one tenant with this id or name. Throws a `Failure` where there is none, or more than one. */
export async function requireTenant(database: Database, idOrName: string): Promise<string> {
  const [found, ...others] = await findTenants(database, idOrName);
  if (found === undefined) throw new Failure(`There is no tenant ${idOrName}.`);
  if (others.length > 0) throw new Failure(`There are several tenants ${idOrName}; give an id.`);
  return found.id;
}

import {
  findTenants,
  insertAuditEntry,
  insertTenant,
  listTenants,
  setDebug,
  setOperatorKey,
  transaction,
  type Database,
} from '@turnpike/store';
import { z } from 'zod';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';

/** Creates a tenant and prints its id. Names are unique, so that a name can be used in place of an id. */
export async function addTenant(
  name: string,
  { operatorKey = false }: { operatorKey?: boolean },
): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const [taken] = await findTenants(database, name);
    if (taken !== undefined) throw new Failure(`There is a tenant ${name} already: ${taken.id}.`);
    const id = await transaction(database.pool, async (sql) => {
      const tenantId = await insertTenant(sql, name, { operatorKey });
      const act = {
        tenantId,
        action: 'tenant.created',
        subject: tenantId,
        details: { name, operator_key: operatorKey },
      };
      await insertAuditEntry(sql, { ...act, actor: { type: 'operator' } });
      return tenantId;
    });
    say(id);
  });
}

/** Changes a tenant's settings that only operators may change, and prints them. */
export async function setTenant(tenant: string, { operatorKey }: { operatorKey?: boolean }): Promise<void> {
  if (operatorKey === undefined) throw new Failure('Nothing to set: see turnpike tenants set --help.');
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const id = await requireTenant(database, tenant);
    await transaction(database.pool, async (sql) => {
      const act = {
        tenantId: id,
        action: 'tenant.updated',
        subject: id,
        details: { operator_key: operatorKey },
      };
      await insertAuditEntry(sql, { ...act, actor: { type: 'operator' } });
      await setOperatorKey(sql, id, operatorKey);
    });
    say(`${id}  operator key ${operatorKey ? 'on' : 'off'}`);
  });
}

/** Prints a line for each tenant, oldest first. */
export async function printTenants(): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    for (const { id, name, operatorKey, createdAt } of await listTenants(database)) {
      say(`${id}  ${createdAt.toISOString()}  operator key ${operatorKey ? 'on ' : 'off'}  ${name}`);
    }
  });
}

const debugSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('on'), minutes: z.coerce.number().int().min(1).max(1_440).default(60) }),
  z.object({ state: z.literal('off'), minutes: z.undefined({ error: 'makes no sense with `off`' }) }),
]);

/** Allows workers to log the contents of a tenant's turns, for a day at most, or forbids it. */
export async function debugTenant(
  tenant: string,
  state: string,
  { minutes }: { minutes?: string },
): Promise<void> {
  const wanted = debugSchema.safeParse({ state, minutes });
  if (!wanted.success) throw new Failure('Say `on`, with --minutes from 1 to 1440, or `off`.');
  const given = wanted.data.minutes ?? null;
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const tenantId = await requireTenant(database, tenant);
    const until = await transaction(database.pool, async (sql) => {
      const action = `tenant.debug_${wanted.data.state}`;
      const act = { tenantId, action, subject: tenantId, details: given === null ? {} : { minutes: given } };
      await insertAuditEntry(sql, { ...act, actor: { type: 'operator' } });
      return setDebug(sql, tenantId, given);
    });
    say(until === null ? 'Off.' : `What its turns say is logged until ${until.toISOString()}.`);
  });
}

/** The one tenant with this id or name. Throws a `Failure` where there is none, or more than one. */
export async function requireTenant(database: Database, idOrName: string): Promise<string> {
  const [found, ...others] = await findTenants(database, idOrName);
  if (found === undefined) throw new Failure(`There is no tenant ${idOrName}.`);
  if (others.length > 0) throw new Failure(`There are several tenants ${idOrName}; give an id.`);
  return found.id;
}

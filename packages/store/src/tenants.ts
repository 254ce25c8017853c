import { newId } from '@turnpike/contract';
import type { Database } from './database.ts';

/** Makes a tenant and returns its id. */
export async function createTenant(database: Database, name: string): Promise<string> {
  const tenant = await database.prisma.tenant.create({ data: { id: newId('tenant'), name } });
  return tenant.id;
}

export async function findTenantByName(database: Database, name: string): Promise<string | null> {
  const tenant = await database.prisma.tenant.findFirst({ where: { name }, orderBy: { id: 'asc' } });
  return tenant?.id ?? null;
}

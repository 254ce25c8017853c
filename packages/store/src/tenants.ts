import { newId } from '@turnpike/contract';
import type { Database } from './database.ts';

/** A tenant as an operator sees it. */
export interface TenantRow {
  id: string;
  name: string;
  createdAt: Date;
}

const SHOWN = { id: true, name: true, createdAt: true } as const;

/** Makes a tenant and returns its id. */
export async function createTenant(database: Database, name: string): Promise<string> {
  const tenant = await database.prisma.tenant.create({ data: { id: newId('tenant'), name } });
  return tenant.id;
}

export async function findTenantByName(database: Database, name: string): Promise<string | null> {
  const tenant = await database.prisma.tenant.findFirst({ where: { name }, orderBy: { id: 'asc' } });
  return tenant?.id ?? null;
}

/** Those with this id or name, the oldest first. */
export function findTenants(database: Database, idOrName: string): Promise<TenantRow[]> {
  const either = [{ id: idOrName }, { name: idOrName }];
  return database.prisma.tenant.findMany({ where: { OR: either }, orderBy: { id: 'asc' }, select: SHOWN });
}

/** All of them, the oldest first. */
export function listTenants(database: Database): Promise<TenantRow[]> {
  return database.prisma.tenant.findMany({ orderBy: { id: 'asc' }, select: SHOWN });
}

import { newId } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { query, type Sql } from '../database/sql.ts';

/** A tenant as an operator sees it. */
export interface TenantRow {
  id: string;
  name: string;
  /** May use the operator's own model key. */
  operatorKey: boolean;
  createdAt: Date;
}

const SHOWN = { id: true, name: true, operatorKey: true, createdAt: true } as const;

const INSERT = {
  name: 'insert-tenant',
  text: `INSERT INTO tenants (id, name, operator_key) VALUES ($1, $2, $3) RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** `operatorKey`: whether it may use the operator's own model key. Default: no. */
interface TenantOptions {
  operatorKey?: boolean;
}

/** Makes a tenant and returns its id. */
export function createTenant(database: Database, name: string, options?: TenantOptions): Promise<string> {
  return insertTenant(database.pool, name, options);
}

/** As `createTenant`, in a transaction. */
export async function insertTenant(
  sql: Sql,
  name: string,
  { operatorKey = false }: TenantOptions = {},
): Promise<string> {
  const id = newId('tenant');
  await query(sql, INSERT, [id, name, operatorKey]);
  return id;
}

const SET_OPERATOR_KEY = {
  name: 'set-operator-key',
  text: `UPDATE tenants SET operator_key = $2 WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Sets whether a tenant may use the operator's own model key, for turns that are claimed from now on. */
export async function setOperatorKey(sql: Sql, tenantId: string, isOn: boolean): Promise<void> {
  await query(sql, SET_OPERATOR_KEY, [tenantId, isOn]);
}

export async function findTenantByName(database: Database, name: string): Promise<string | null> {
  const tenant = await database.prisma.tenant.findFirst({ where: { name }, orderBy: { id: 'asc' } });
  return tenant?.id ?? null;
}

/** Tenants with this id or name, oldest first. */
export function findTenants(database: Database, idOrName: string): Promise<TenantRow[]> {
  const either = [{ id: idOrName }, { name: idOrName }];
  return database.prisma.tenant.findMany({ where: { OR: either }, orderBy: { id: 'asc' }, select: SHOWN });
}

/** All tenants, oldest first. */
export function listTenants(database: Database): Promise<TenantRow[]> {
  return database.prisma.tenant.findMany({ orderBy: { id: 'asc' }, select: SHOWN });
}

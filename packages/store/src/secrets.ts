import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import type { SecretEntry } from '@turnpike/contract';
import type { Database } from './database.ts';
import { inTransaction, query, type Sql } from './sql.ts';
import { VALUE, type Vault } from './vault.ts';

const secretRow = z
  .object({
    name: z.string(),
    version: z.int(),
    lastFour: z.string(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .transform((row): SecretEntry => ({
    object: 'secret',
    name: row.name,
    version: row.version,
    last_four: row.lastFour,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }));

const LOCK = {
  name: 'lock-secret',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('turnpike.secret ' || $1 || ' ' || $2, 0))::text AS locked`,
  row: z.object({ locked: z.string() }),
};

const VERSION = {
  name: 'read-secret-version',
  text: `SELECT version FROM secrets WHERE tenant_id = $1 AND name = $2`,
  row: z.object({ version: z.int() }),
};

const PUT = {
  name: 'put-secret',
  text: `
INSERT INTO secrets (tenant_id, name, version, envelope, last_four) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, name) DO UPDATE
SET version = excluded.version, envelope = excluded.envelope, last_four = excluded.last_four, updated_at = now()
RETURNING name, version, last_four AS "lastFour", created_at AS "createdAt", updated_at AS "updatedAt"`,
  row: secretRow,
};

/** A value shorter than this would be told by its end. */
const SHOWS_END_FROM = 12;

/** Stores a new version; what is read back is only what it is called. */
export async function putSecret(
  sql: Sql,
  vault: Vault,
  secret: { tenantId: string; name: string; value: Secret },
): Promise<SecretEntry> {
  const { tenantId, name, value } = secret;
  await vault.prepare(tenantId);
  return inTransaction(sql, async (transaction) => {
    // The version is part of what is sealed, so two writers must not choose the same one.
    await query(transaction, LOCK, [tenantId, name]);
    const [known] = await query(transaction, VERSION, [tenantId, name]);
    const version = (known?.version ?? 0) + 1;
    const { envelope } = await vault.seal(tenantId, name, VALUE, version, value);
    const plain = value.reveal();
    const lastFour = plain.length < SHOWS_END_FROM ? '' : plain.slice(-4);
    const [put] = await query(transaction, PUT, [tenantId, name, version, envelope, lastFour]);
    if (put === undefined) throw new Error('An upsert returned no row.');
    return put;
  });
}

const shown = { name: true, version: true, lastFour: true, createdAt: true, updatedAt: true } as const;

/** Null where the tenant has no such secret. */
export async function readSecretEntry(
  database: Database,
  tenantId: string,
  name: string,
): Promise<SecretEntry | null> {
  const row = await database.prisma.secret.findUnique({
    where: { tenantId_name: { tenantId, name } },
    select: shown,
  });
  return row === null ? null : secretRow.parse(row);
}

/** A tenant's secrets by name, those after `cursor` (the name of the last one seen). */
export async function listSecrets(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number },
): Promise<SecretEntry[]> {
  const rows = await database.prisma.secret.findMany({
    where: { tenantId, ...(page.cursor === null ? {} : { name: { gt: page.cursor } }) },
    orderBy: { name: 'asc' },
    take: page.limit,
    select: shown,
  });
  return rows.map((row) => secretRow.parse(row));
}

const DELETE = {
  name: 'delete-secret',
  text: `DELETE FROM secrets WHERE tenant_id = $1 AND name = $2 RETURNING name`,
  row: z.object({ name: z.string() }),
};

/** False where there was none. */
export async function deleteSecret(sql: Sql, tenantId: string, name: string): Promise<boolean> {
  const deleted = await query(sql, DELETE, [tenantId, name]);
  return deleted.length > 0;
}

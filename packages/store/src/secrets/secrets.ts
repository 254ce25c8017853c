import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import type { SecretEntry } from '@turnpike/contract';
import type { Database } from '../database/database.ts';
import { inTransaction, query, type Sql } from '../database/sql.ts';
import { VALUE, type SecretBox } from './secret-box.ts';

const secretRow = z
  .object({
    name: z.string(),
    version: z.int(),
    lastFour: z.string(),
    allowedHosts: z.array(z.string()),
    isModelKey: z.boolean(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .transform((row): SecretEntry => ({
    object: 'secret',
    name: row.name,
    version: row.version,
    last_four: row.lastFour,
    allowed_hosts: row.allowedHosts.length === 0 ? null : row.allowedHosts,
    model_key: row.isModelKey,
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

const COLUMNS = `name, version, last_four AS "lastFour", allowed_hosts AS "allowedHosts",
  is_model_key AS "isModelKey", created_at AS "createdAt", updated_at AS "updatedAt"`;

/**
 * The name of a deleted secret may still be configured as a model key, so a new secret of that name is marked
 * too.
 */
const PUT = {
  name: 'put-secret',
  text: `
INSERT INTO secrets (tenant_id, name, version, envelope, last_four, allowed_hosts, is_model_key)
VALUES ($1, $2, $3, $4, $5, coalesce($6::text[], '{}'),
  EXISTS (SELECT 1 FROM model_settings WHERE tenant_id = $1 AND $2 = ANY (keys))
  OR EXISTS (SELECT 1 FROM agents JOIN agent_versions AS newest
               ON newest.agent_id = agents.id AND newest.version = agents.version
             WHERE agents.tenant_id = $1 AND agents.deleted_at IS NULL AND newest.config -> 'model_keys' ? $2))
ON CONFLICT (tenant_id, name) DO UPDATE
SET version = excluded.version, envelope = excluded.envelope, last_four = excluded.last_four, updated_at = now(),
    allowed_hosts = coalesce($6::text[], secrets.allowed_hosts), is_model_key = excluded.is_model_key
RETURNING ${COLUMNS}`,
  row: secretRow,
};

/** The last four characters would give away too much of a shorter value. */
const SHOWS_END_FROM = 12;

/**
 * Stores a new version. Only its description can be read back. `allowedHosts`: null for any host; left out,
 * those of the version before.
 */
export async function putSecret(
  sql: Sql,
  secretBox: SecretBox,
  secret: {
    tenantId: string;
    name: string;
    value: Secret;
    allowedHosts?: readonly string[] | null | undefined;
  },
): Promise<SecretEntry> {
  const { tenantId, name, value, allowedHosts } = secret;
  await secretBox.prepare(tenantId);
  return inTransaction(sql, async (transaction) => {
    // The version is part of what the envelope is bound to, so two writers must not choose the same one.
    await query(transaction, LOCK, [tenantId, name]);
    const [known] = await query(transaction, VERSION, [tenantId, name]);
    const version = (known?.version ?? 0) + 1;
    const { envelope } = await secretBox.seal(tenantId, name, VALUE, version, value);
    const plain = value.reveal();
    const lastFour = plain.length < SHOWS_END_FROM ? '' : plain.slice(-4);
    const hosts = allowedHosts === null ? [] : (allowedHosts ?? null);
    const [put] = await query(transaction, PUT, [tenantId, name, version, envelope, lastFour, hosts]);
    if (put === undefined) throw new Error('An upsert returned no row.');
    return put;
  });
}

const shown = {
  name: true,
  version: true,
  lastFour: true,
  allowedHosts: true,
  isModelKey: true,
  createdAt: true,
  updatedAt: true,
} as const;

/** Null if the tenant has no such secret. */
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

const FIND = {
  name: 'find-secrets',
  text: `SELECT ${COLUMNS} FROM secrets WHERE tenant_id = $1 AND name = ANY ($2::text[])`,
  row: secretRow,
};

/** The tenant's secrets among these names, by name. */
export async function findSecrets(
  sql: Sql,
  tenantId: string,
  names: readonly string[],
): Promise<Map<string, SecretEntry>> {
  const found = await query(sql, FIND, [tenantId, names]);
  return new Map(found.map((secret) => [secret.name, secret]));
}

const MARK = {
  name: 'mark-model-keys',
  text: `
UPDATE secrets SET is_model_key = true
WHERE tenant_id = $1 AND name = ANY ($2::text[]) AND NOT is_model_key RETURNING name`,
  row: z.object({ name: z.string() }),
};

/** Marks secrets that are configured as model keys: tools send them only to hosts that they are bound to. */
export async function markModelKeys(sql: Sql, tenantId: string, names: readonly string[]): Promise<void> {
  await query(sql, MARK, [tenantId, names]);
}

const DELETE = {
  name: 'delete-secret',
  text: `DELETE FROM secrets WHERE tenant_id = $1 AND name = $2 RETURNING name`,
  row: z.object({ name: z.string() }),
};

/** False if there was none. */
export async function deleteSecret(sql: Sql, tenantId: string, name: string): Promise<boolean> {
  const deleted = await query(sql, DELETE, [tenantId, name]);
  return deleted.length > 0;
}

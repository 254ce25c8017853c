import { newId, scopeSchema, type ApiKey, type Limits, type Scope } from '@turnpike/contract';
import { z } from 'zod';
import { hashApiKey, makeApiKey } from './api-key-text.ts';
import type { Database } from '../database/database.ts';
import { selectList } from '../database/select-list.ts';
import { query, type Sql } from '../database/sql.ts';
import { LIMIT_COLUMNS, limitsOf, storedLimits } from './tenant-limits.ts';

/** The key's tenant, its scopes, and the tenant's limits. */
export interface KeyHolder {
  keyId: string;
  tenantId: string;
  scopes: Scope[];
  limits: Limits;
}

const storedKeySchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(scopeSchema),
  lastFour: z.string(),
  createdAt: z.date(),
  expiresAt: z.date().nullable(),
  lastUsedAt: z.date().nullable(),
  revokedAt: z.date().nullable(),
});

const COLUMNS = selectList(storedKeySchema, 'api_keys');

const keyRow = storedKeySchema.transform((row): ApiKey => ({
  id: row.id,
  object: 'api_key',
  name: row.name,
  scopes: row.scopes,
  last_four: row.lastFour,
  created_at: row.createdAt.toISOString(),
  expires_at: row.expiresAt?.toISOString() ?? null,
  last_used_at: row.lastUsedAt?.toISOString() ?? null,
  revoked_at: row.revokedAt?.toISOString() ?? null,
}));

const INSERT = {
  name: 'insert-api-key',
  text: `
INSERT INTO api_keys (id, tenant_id, name, hash, last_four, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6,
  coalesce(now() + $7::double precision * interval '1 second', $8::timestamptz))
RETURNING ${COLUMNS}`,
  row: keyRow,
};

export interface NewApiKey {
  tenantId: string;
  name: string;
  scopes: readonly Scope[];
  expiresInSeconds?: number | undefined;
  /** When it expires if `expiresInSeconds` is left out; without either, never. */
  expiresAt?: Date | null;
}

/** Makes a key. The result is the only time that `key` is visible; only its hash is stored. */
export async function createApiKey(sql: Sql, apiKey: NewApiKey): Promise<{ apiKey: ApiKey; key: string }> {
  const key = makeApiKey();
  const { tenantId, name, scopes, expiresInSeconds = null, expiresAt = null } = apiKey;
  const hash = hashApiKey(key);
  const values = [newId('apiKey'), tenantId, name, hash, key.slice(-4), scopes, expiresInSeconds, expiresAt];
  const [inserted] = await query(sql, INSERT, values);
  if (inserted === undefined) throw new Error('An insert returned no row.');
  return { apiKey: inserted, key };
}

const FIND = {
  name: 'find-key-holder',
  text: `
SELECT api_keys.id AS "keyId", api_keys.tenant_id AS "tenantId", api_keys.scopes, ${LIMIT_COLUMNS}
FROM api_keys JOIN tenants ON tenants.id = api_keys.tenant_id
WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
  row: z
    .object({ keyId: z.string(), tenantId: z.string(), scopes: z.array(scopeSchema), ...storedLimits })
    .transform(({ keyId, tenantId, scopes, ...stored }): KeyHolder => ({
      keyId,
      tenantId,
      scopes,
      limits: limitsOf(stored),
    })),
};

/** Null for a key that is unknown, revoked or expired. */
export async function findKeyHolder(sql: Sql, hash: Buffer): Promise<KeyHolder | null> {
  const [holder] = await query(sql, FIND, [hash]);
  return holder ?? null;
}

const USED = {
  name: 'record-key-use',
  text: `UPDATE api_keys SET last_used_at = now() WHERE id = ANY ($1) RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Records that these keys were used now. */
export async function recordKeyUse(sql: Sql, keyIds: readonly string[]): Promise<void> {
  await query(sql, USED, [keyIds]);
}

/** A tenant's keys, revoked and expired ones too, oldest first, after `cursor` (an id). */
export async function listApiKeys(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number } = { cursor: null, limit: 10_000 },
): Promise<ApiKey[]> {
  const rows = await database.prisma.apiKey.findMany({
    where: { tenantId, ...(page.cursor === null ? {} : { id: { gt: page.cursor } }) },
    orderBy: { id: 'asc' },
    take: page.limit,
    omit: { hash: true },
  });
  return rows.map((row) => keyRow.parse(row));
}

const REVOKE = {
  name: 'revoke-api-key',
  text: `
UPDATE api_keys SET revoked_at = now()
WHERE id = $1 AND ($2::text IS NULL OR tenant_id = $2) AND revoked_at IS NULL RETURNING tenant_id AS "tenantId"`,
  row: z.object({ tenantId: z.string() }),
};

/**
 * Returns the tenant of the key; null if it does not exist or was revoked before. Without a tenant (for
 * operators), a key of any tenant is revoked.
 */
export async function revokeApiKey(
  sql: Sql,
  keyId: string,
  tenantId: string | null = null,
): Promise<string | null> {
  const [revoked] = await query(sql, REVOKE, [keyId, tenantId]);
  return revoked?.tenantId ?? null;
}

const RETIRE = {
  name: 'retire-api-key',
  text: `
WITH working AS (
  SELECT id, expires_at FROM api_keys
  WHERE id = $1 AND tenant_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
  FOR UPDATE
)
UPDATE api_keys
SET expires_at = least(coalesce(working.expires_at, 'infinity'), now() + $3::double precision * interval '1 second')
FROM working WHERE api_keys.id = working.id
RETURNING name, scopes, working.expires_at AS "expiredAt"`,
  row: z.object({ name: z.string(), scopes: z.array(scopeSchema), expiredAt: z.date().nullable() }),
};

/**
 * Makes a valid key expire after `overlapSeconds` at the latest. Null if there is no such key; else its name,
 * scopes and previous expiry.
 */
export async function retireApiKey(
  sql: Sql,
  tenantId: string,
  keyId: string,
  overlapSeconds: number,
): Promise<z.infer<typeof RETIRE.row> | null> {
  const [retired] = await query(sql, RETIRE, [keyId, tenantId, overlapSeconds]);
  return retired ?? null;
}

import type { SealedSecret } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { inTransaction, query, type Sql } from '../database/sql.ts';
import type { SecretBox } from '../secrets/secret-box.ts';

/** Part of what an envelope is bound to; a claim of a delivery reads it the same way. */
const SIGNING_FIELD = 'signing_secret';

/** The owner of a signing key: an endpoint or, for webhook URLs of turns, the tenant. */
export interface SecretOwner {
  tenantId: string;
  /** The id of the endpoint, or of the tenant. */
  owner: string;
}

export interface WebhookSecretVersion {
  version: number;
  createdAt: Date;
}

const LOCK = {
  name: 'lock-webhook-secret',
  text: `
SELECT pg_advisory_xact_lock(hashtextextended('turnpike.webhook_secret ' || $1, 0))::text AS locked`,
  row: z.object({ locked: z.string() }),
};

const NEWEST = {
  name: 'newest-webhook-secret',
  text: `SELECT max(version) AS version FROM webhook_secrets WHERE owner = $1`,
  row: z.object({ version: z.int().nullable() }),
};

/*
 * Invariant: exactly one of an owner's keys, the newest, has no expiry; at most one older key is valid beside
 * it, until its expiry. The caller holds the owner's lock.
 */
const REPLACE = {
  name: 'replace-webhook-secret',
  text: `
WITH older AS (
  DELETE FROM webhook_secrets WHERE owner = $1 AND version < $3 - 1
), previous AS (
  UPDATE webhook_secrets SET expires_at = now() + $5::double precision * interval '1 second'
  WHERE owner = $1 AND version = $3 - 1
)
INSERT INTO webhook_secrets (owner, tenant_id, version, envelope) VALUES ($1, $2, $3, $4)
RETURNING version, created_at AS "createdAt"`,
  row: z.object({ version: z.int(), createdAt: z.date() }),
};

/**
 * Gives an owner a new key, or its first. The previous key signs too for `overlapSeconds`. If `sql` is in a
 * transaction, call `secretBox.prepare` before it.
 */
export function replaceWebhookSecret(
  sql: Sql,
  secretBox: SecretBox,
  { tenantId, owner }: SecretOwner,
  secret: Secret,
  overlapSeconds: number,
): Promise<WebhookSecretVersion> {
  return inTransaction(sql, async (transaction) => {
    // The version is part of what the envelope is bound to, so two writers must not choose the same one.
    await query(transaction, LOCK, [owner]);
    const [newest] = await query(transaction, NEWEST, [owner]);
    const version = (newest?.version ?? 0) + 1;
    const { envelope } = await secretBox.seal(tenantId, owner, SIGNING_FIELD, version, secret);
    const [replaced] = await query(transaction, REPLACE, [
      owner,
      tenantId,
      version,
      envelope,
      overlapSeconds,
    ]);
    if (replaced === undefined) throw new Error('An insert returned no row.');
    return replaced;
  });
}

const INSERT_FIRST = {
  name: 'insert-first-webhook-secret',
  text: `
INSERT INTO webhook_secrets (owner, tenant_id, version, envelope)
SELECT $1, $2, 1, $3 WHERE NOT EXISTS (SELECT 1 FROM webhook_secrets WHERE owner = $1)
ON CONFLICT DO NOTHING RETURNING version`,
  row: z.object({ version: z.int() }),
};

const READ = {
  name: 'read-webhook-secrets',
  text: `
SELECT owner AS name, '${SIGNING_FIELD}' AS field, version, envelope FROM webhook_secrets
WHERE owner = $1 AND (expires_at IS NULL OR expires_at > now()) ORDER BY version DESC`,
  row: z.object({ name: z.string(), field: z.string(), version: z.int(), envelope: z.string() }),
};

/**
 * The keys to sign with now, newest first. If there is none, `make` makes the first; null for an endpoint,
 * which always has one: if it is missing, the endpoint was deleted.
 */
export async function readWebhookSecrets(
  sql: Sql,
  secretBox: SecretBox,
  { tenantId, owner }: SecretOwner,
  make: (() => Secret) | null,
): Promise<SealedSecret[]> {
  const known = await query(sql, READ, [owner]);
  if (known.length > 0 || make === null) return known;
  const { envelope } = await secretBox.seal(tenantId, owner, SIGNING_FIELD, 1, make());
  // Of two concurrent callers one inserts the key, and both read it.
  await query(sql, INSERT_FIRST, [owner, tenantId, envelope]);
  return query(sql, READ, [owner]);
}

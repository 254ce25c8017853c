import { newId } from '@turnpike/contract';
import {
  DataKeyUnreadableError,
  KeyProviderError,
  readWrappedKey,
  writeWrappedKey,
  type KeyProvider,
} from '@turnpike/secrets';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { query, type Sql } from '../database/sql.ts';

export interface Rewrapped {
  /** The current master key. */
  keyId: string;
  /** Data keys that this run wrapped with it. */
  moved: number;
  /** Ids of data keys that no given master key opens. */
  unreadable: string[];
}

const BATCH = 100;

const FIND = {
  name: 'find-keys-to-rewrap',
  text: `
SELECT id, tenant_id AS "tenantId", wrapped FROM data_keys
WHERE id > $1 AND split_part(wrapped, ' ', 1) <> $2 ORDER BY id LIMIT $3`,
  row: z.object({ id: z.string(), tenantId: z.string(), wrapped: z.string() }),
};

/*
 * Invariant: a wrapped key is replaced only by the same data key under another master key, so the row must
 * still hold what was unwrapped. Concurrent rewraps may both write, but never over a newer key. The same
 * statement writes the tenant's audit entry.
 */
const MOVE = {
  name: 'move-data-key',
  text: `
WITH moved AS (
  UPDATE data_keys SET wrapped = $3 WHERE id = $1 AND wrapped = $2 RETURNING id, tenant_id
)
INSERT INTO audit_entries (id, tenant_id, actor_type, action, subject, details)
SELECT $4, tenant_id, 'operator', 'data_key.rewrapped', id,
       jsonb_build_object('from', split_part($2, ' ', 1), 'to', split_part($3, ' ', 1))
FROM moved RETURNING subject`,
  row: z.object({ subject: z.string() }),
};

/**
 * Wraps every data key with the current master key, while others use them: data keys do not change, so what
 * they sealed stays readable. Each key is committed by itself; after an interruption, run it again. Throws
 * `KeyProviderError` if the key provider does not serve.
 */
export async function rewrapDataKeys(
  { pool }: Pick<Database, 'pool'>,
  provider: KeyProvider,
): Promise<Rewrapped> {
  const keyId = await provider.currentKeyId();
  const unreadable: string[] = [];
  let moved = 0;
  let last = '';
  for (;;) {
    const batch = await query(pool, FIND, [last, keyId, BATCH]);
    for (const row of batch) {
      const outcome = await rewrap(pool, provider, row);
      if (outcome === 'unreadable') unreadable.push(row.id);
      else moved += outcome;
      last = row.id;
    }
    if (batch.length < BATCH) return { keyId, moved, unreadable };
  }
}

/** 1 if it was moved, 0 if another process was faster. */
async function rewrap(
  sql: Sql,
  provider: KeyProvider,
  { id, tenantId, wrapped }: z.infer<typeof FIND.row>,
): Promise<number | 'unreadable'> {
  try {
    const next = writeWrappedKey(await provider.rewrap(readWrappedKey(wrapped), { tenantId }));
    const moved = await query(sql, MOVE, [id, wrapped, next, newId('auditEntry')]);
    return moved.length;
  } catch (error) {
    if (isUnreadable(error)) return 'unreadable';
    throw error;
  }
}

/** No master key that is given opens this data key: the provider serves. */
export function isUnreadable(error: unknown): boolean {
  return (
    error instanceof DataKeyUnreadableError ||
    (error instanceof KeyProviderError && error.code === 'master_key_unknown')
  );
}

const COUNT = {
  name: 'count-keys-to-rewrap',
  text: `SELECT split_part(wrapped, ' ', 1) AS "keyId", count(*)::int AS count FROM data_keys GROUP BY 1 ORDER BY 1`,
  row: z.object({ keyId: z.string(), count: z.int() }),
};

/** How many data keys are under each master key. */
export function countDataKeys(sql: Sql): Promise<{ keyId: string; count: number }[]> {
  return query(sql, COUNT, []);
}

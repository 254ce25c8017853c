import { z } from 'zod';
import { removeLinesOfTenant } from '../batches/remove-batches.ts';
import type { Database } from '../database/database.ts';
import { eraseChunks } from '../files/erase-files.ts';
import { allowAuditPurge } from '../retention/purge.ts';
import { query, transaction } from '../database/sql.ts';
import { listTenantTables, type TenantTable } from './tenant-tables.ts';
import { OPEN_STATUSES } from '../turns/open-statuses.ts';

const BATCH = 1_000;
/** The batch size for rows that others are deleted with. */
const BATCH_WITH_DEPENDENTS = 20;

const idSchema = z.object({ id: z.string() });

const REVOKE_ALL = {
  name: 'revoke-all-keys',
  text: `UPDATE api_keys SET revoked_at = now() WHERE tenant_id = $1 AND revoked_at IS NULL RETURNING id`,
  row: idSchema,
};

/** Revokes every key of a tenant. Returns how many were valid. */
export async function revokeAllKeys(database: Database, tenantId: string): Promise<number> {
  return (await query(database.pool, REVOKE_ALL, [tenantId])).length;
}

const LIST_OPEN = {
  name: 'list-open-turns',
  text: `
SELECT id FROM turns
WHERE tenant_id = $1 AND status IN ${OPEN_STATUSES} AND id > $2
ORDER BY id LIMIT $3`,
  row: idSchema,
};

/** Up to `limit` turns of a tenant that have not ended, after this id. */
export async function listOpenTurns(
  database: Database,
  tenantId: string,
  page: { after: string; limit: number },
): Promise<string[]> {
  const turns = await query(database.pool, LIST_OPEN, [tenantId, page.after, page.limit]);
  return turns.map(({ id }) => id);
}

const DELETE_TENANT = {
  name: 'delete-tenant',
  text: `DELETE FROM tenants WHERE id = $1 RETURNING id`,
  row: idSchema,
};

/**
 * Deletes every row of a tenant in bounded batches, and the tenant last, so that an interrupted deletion can
 * be started again. Rows that are written meanwhile are deleted too. Reports each batch to `onDeleted`.
 */
export async function deleteTenant(
  database: Database,
  tenantId: string,
  onDeleted: (table: string, rows: number) => void,
): Promise<void> {
  const tables = (await listTenantTables(database.pool)).filter(({ isDeletedByItself }) => isDeletedByItself);
  const deleteAll = async (): Promise<number> => {
    // Of a batch they are too many for the statement that deletes it.
    let deleted = await removeLinesOfTenant(database.pool, tenantId);
    for (const table of tables) deleted += await deleteRows(database, tenantId, table, onDeleted);
    return deleted;
  };
  // Repeated until nothing is found: a request that was under way may add rows to a table that was empty
  // already.
  while ((await deleteAll()) > 0);
  await query(database.pool, DELETE_TENANT, [tenantId]);
  await deleteAll();
  // Of files in object storage, the programs erase the bytes: only they know where it is.
  await eraseChunks(database.pool);
}

async function deleteRows(
  database: Database,
  tenantId: string,
  table: TenantTable,
  onDeleted: (table: string, rows: number) => void,
): Promise<number> {
  const limit = table.hasDependents ? BATCH_WITH_DEPENDENTS : BATCH;
  const statement = {
    name: `delete-tenant-${table.name}`,
    text: `
DELETE FROM "${table.name}" WHERE ctid = ANY (ARRAY(SELECT "${table.name}".ctid ${table.from} LIMIT $2)) RETURNING 1`,
    row: z.object({}),
  };
  for (let deleted = 0; ;) {
    const batch = await transaction(database.pool, async (sql) => {
      await allowAuditPurge(sql);
      return query(sql, statement, [tenantId, limit]);
    });
    if (batch.length === 0) return deleted;
    deleted += batch.length;
    onDeleted(table.name, batch.length);
  }
}

import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { HIDDEN_BATCH } from './batches.ts';

const ABANDON = {
  name: 'abandon-batch',
  text: `UPDATE turn_batches SET status = 'deleting' WHERE id = $1 AND status = 'receiving' RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Gives up a batch that was not opened: a pass removes it. */
export async function abandonBatch(sql: Sql, id: string): Promise<void> {
  await query(sql, ABANDON, [id]);
}

const LINES = 5_000;
/** It was deleted, or has received no line for an hour: then its upload broke with its process. */
const IS_REMOVED = `status IN ${HIDDEN_BATCH} AND (status = 'deleting' OR fed_at < now() - interval '1 hour')`;

/*
 * Invariant: a batch is removed only while nobody sees it, nor sends it lines. A hundred thousand lines are no single
 * statement; the batch goes with its last.
 */
const REMOVE = {
  name: 'remove-batches',
  text: `
WITH removed AS MATERIALIZED (
  SELECT id FROM turn_batches
  WHERE ${IS_REMOVED}
  ORDER BY fed_at LIMIT 1 FOR UPDATE SKIP LOCKED
), lines AS (
  DELETE FROM batch_lines WHERE (batch_id, index) IN (
    SELECT batch_id, index FROM batch_lines WHERE batch_id = (SELECT id FROM removed) LIMIT ${LINES})
  RETURNING 1
)
SELECT removed.id, (SELECT count(*)::int FROM lines) AS lines FROM removed`,
  row: z.object({ id: z.string(), lines: z.int() }),
};

const REMOVE_EMPTY = {
  name: 'remove-empty-batch',
  text: `
DELETE FROM turn_batches WHERE id = $1 AND ${IS_REMOVED} RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Removes lines of one batch that nobody sees any more, and with the last of them the batch. False: there is none. */
export async function removeBatchLines(sql: Sql): Promise<boolean> {
  const [removed] = await query(sql, REMOVE, []);
  if (removed === undefined) return false;
  if (removed.lines < LINES) await query(sql, REMOVE_EMPTY, [removed.id]);
  return true;
}

const OF_TENANT = {
  name: 'remove-lines-of-tenant',
  text: `
DELETE FROM batch_lines WHERE (batch_id, index) IN (
  SELECT lines.batch_id, lines.index FROM turn_batches AS batches JOIN batch_lines AS lines ON lines.batch_id = batches.id
  WHERE batches.tenant_id = $1 LIMIT ${LINES})
RETURNING 1`,
  row: z.object({}),
};

/** Deletes the lines of all batches of a tenant, a bounded number in each statement. Returns how many. */
export async function removeLinesOfTenant(sql: Sql, tenantId: string): Promise<number> {
  for (let removed = 0; ;) {
    const batch = await query(sql, OF_TENANT, [tenantId]);
    removed += batch.length;
    if (batch.length < LINES) return removed;
  }
}

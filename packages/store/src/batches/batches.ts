import {
  batchStatusSchema,
  batchWaitSchema,
  metadataSchema,
  type Batch,
  type BatchDefaults,
  type BatchForm,
  type BatchStatus,
} from '@turnpike/contract';
import { z } from 'zod';
import { inRange, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { json, query, type Sql } from '../database/sql.ts';

/** The statuses in which a pass looks at a batch, for SQL: as in the condition of the partial index. */
export const OPEN_BATCH = `('in_progress', 'paused', 'cancelling')`;
const ENDED_BATCH = `('completed', 'cancelled')`;
/** Those that nobody sees: a pass removes them. */
export const HIDDEN_BATCH = `('receiving', 'deleting')`;
const SHOWN = `batches.status NOT IN ${HIDDEN_BATCH}`;

/*
 * The lines that are turns and were not counted yet are few: as many as a tenant may have open at once. All others are
 * numbers of the batch.
 */
const LIVE = `
  SELECT count(*) FILTER (WHERE turns.status = 'queued') AS queued,
    count(*) FILTER (WHERE turns.status IN ('in_progress', 'cancelling')) AS "inProgress",
    count(*) FILTER (WHERE turns.status = 'requires_action') AS "requiresAction",
    count(*) FILTER (WHERE turns.status = 'completed') AS completed,
    count(*) FILTER (WHERE turns.status = 'failed') AS failed,
    count(*) FILTER (WHERE turns.status = 'incomplete') AS incomplete,
    count(*) FILTER (WHERE coalesce(turns.status, 'cancelled') = 'cancelled') AS cancelled
  FROM batch_lines LEFT JOIN turns ON turns.id = batch_lines.turn_id
  WHERE batch_lines.batch_id = batches.id AND batch_lines.status = 'open'`;

const COLUMNS = `batches.id, batches.status, batches.defaults, batches.metadata, batches.line_count AS "lineCount",
  batches.next_line AS "nextLine", batches.completed, batches.failed, batches.incomplete, batches.cancelled,
  batches.refused, batches.waiting_for AS "waitingFor", batches.created_at AS "createdAt",
  batches.ended_at AS "endedAt", (SELECT to_jsonb(live) FROM (${LIVE}) AS live) AS live`;

const count = z.int().nonnegative();

const batchRow = z
  .object({
    id: z.string(),
    status: batchStatusSchema,
    // As they were accepted: a batch of another version is still shown, and ends.
    defaults: z.custom<BatchDefaults>((value) => typeof value === 'object' && value !== null),
    metadata: metadataSchema,
    lineCount: count,
    nextLine: count,
    completed: count,
    failed: count,
    incomplete: count,
    cancelled: count,
    refused: count,
    waitingFor: batchWaitSchema.nullable(),
    createdAt: z.date(),
    endedAt: z.date().nullable(),
    live: z.object({
      queued: count,
      inProgress: count,
      requiresAction: count,
      completed: count,
      failed: count,
      incomplete: count,
      cancelled: count,
    }),
  })
  .transform((row): Batch => ({
    id: row.id,
    object: 'batch',
    status: row.status,
    counts: {
      total: row.lineCount,
      // Of a cancelled batch, they are counted as cancelled.
      pending: row.endedAt === null ? row.lineCount - row.nextLine : 0,
      queued: row.live.queued,
      in_progress: row.live.inProgress,
      requires_action: row.live.requiresAction,
      completed: row.completed + row.live.completed,
      failed: row.failed + row.live.failed,
      incomplete: row.incomplete + row.live.incomplete,
      cancelled: row.cancelled + row.live.cancelled,
      refused: row.refused,
    },
    defaults: row.defaults,
    metadata: row.metadata,
    waiting_for: row.waitingFor,
    created_at: row.createdAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
  }));

const idSchema = z.object({ id: z.string() });

const INSERT = {
  name: 'insert-batch',
  text: `INSERT INTO turn_batches (id, tenant_id, defaults, metadata) VALUES ($1, $2, $3::jsonb, $4::jsonb) RETURNING id`,
  row: idSchema,
};

/** A batch that receives its lines: nobody sees it until `openBatch`. */
export async function insertBatch(
  sql: Sql,
  { id, tenantId, about }: { id: string; tenantId: string; about: BatchForm },
): Promise<void> {
  await query(sql, INSERT, [id, tenantId, json(about.defaults ?? {}), json(about.metadata ?? {})]);
}

const OPEN = {
  name: 'open-batch',
  text: `
UPDATE turn_batches AS batches SET status = 'in_progress', line_count = $3, created_at = now()
WHERE batches.tenant_id = $1 AND batches.id = $2 AND batches.status = 'receiving'
RETURNING ${COLUMNS}`,
  row: batchRow,
};

/** All its lines are stored: from now on they become turns. Null where it was removed since it received the last one. */
export async function openBatch(
  sql: Sql,
  { tenantId, id, lineCount }: { tenantId: string; id: string; lineCount: number },
): Promise<Batch | null> {
  const [batch] = await query(sql, OPEN, [tenantId, id, lineCount]);
  return batch ?? null;
}

const READ = {
  name: 'read-batch',
  text: `SELECT ${COLUMNS} FROM turn_batches AS batches WHERE batches.tenant_id = $1 AND batches.id = $2 AND ${SHOWN}`,
  row: batchRow,
};

/** Null if it does not exist, or belongs to another tenant. */
export async function readBatch(sql: Sql, tenantId: string, id: string): Promise<Batch | null> {
  const [batch] = await query(sql, READ, [tenantId, id]);
  return batch ?? null;
}

const LIST = {
  name: 'list-batches',
  text: `
SELECT ${COLUMNS} FROM turn_batches AS batches
WHERE batches.tenant_id = $1 AND ${inRange('batches')} AND ${SHOWN} AND ($7::text[] IS NULL OR batches.status = ANY ($7))
ORDER BY batches.id DESC LIMIT $6`,
  row: batchRow,
};

/** A tenant's batches, newest first, those after the cursor. */
export function listBatches(
  sql: Sql,
  tenantId: string,
  page: ListPage,
  filter: TimeRange & { status?: readonly BatchStatus[] | undefined },
): Promise<Batch[]> {
  return query(sql, LIST, [tenantId, ...rangeValues('batch', page, filter), filter.status ?? null]);
}

const MOVE = {
  name: 'move-batch',
  text: `
UPDATE turn_batches AS batches SET status = $3
WHERE batches.tenant_id = $1 AND batches.id = $2 AND batches.status = ANY ($4)
RETURNING batches.id`,
  row: idSchema,
};

/** What a client may do to a batch, and when that changes it. */
const MOVES = {
  pause: { from: ['in_progress'], to: 'paused' },
  resume: { from: ['paused'], to: 'in_progress' },
  cancel: { from: ['in_progress', 'paused'], to: 'cancelling' },
} as const;
export type BatchMove = keyof typeof MOVES;

/** Makes the move where the batch is in a status that it changes. Returns the batch; null if there is none. */
export async function moveBatch(
  sql: Sql,
  tenantId: string,
  id: string,
  move: BatchMove,
): Promise<Batch | null> {
  const { from, to } = MOVES[move];
  await query(sql, MOVE, [tenantId, id, to, from]);
  return readBatch(sql, tenantId, id);
}

const DELETE = {
  name: 'delete-batch',
  text: `
UPDATE turn_batches AS batches SET status = 'deleting'
WHERE batches.tenant_id = $1 AND batches.id = $2 AND batches.status IN ${ENDED_BATCH}
RETURNING batches.id`,
  row: idSchema,
};

/** From now on nobody sees it; a pass removes its rows. False where it has not ended, or is not there. */
export async function deleteBatch(sql: Sql, tenantId: string, id: string): Promise<boolean> {
  return (await query(sql, DELETE, [tenantId, id])).length > 0;
}

import { newId, type BatchWait } from '@turnpike/contract';
import { z } from 'zod';
import { parameterRows } from '../database/parameter-rows.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { TO_CANCEL_STATUSES } from '../turns/open-statuses.ts';
import { isAlive } from '../workers/capability.ts';
import { OPEN_BATCH, readBatch } from './batches.ts';

const FIND = {
  name: 'find-batch-tenants',
  text: `
SELECT DISTINCT tenant_id AS "tenantId" FROM turn_batches
WHERE status IN ${OPEN_BATCH} AND tenant_id > $1 ORDER BY 1 LIMIT $2`,
  row: z.object({ tenantId: z.string() }),
};

/** Tenants with batches that have not ended, after this one. */
export async function findBatchTenants(sql: Sql, after: string, limit: number): Promise<string[]> {
  return (await query(sql, FIND, [after, limit])).map(({ tenantId }) => tenantId);
}

const LOCK = {
  name: 'lock-batches',
  text: `SELECT pg_try_advisory_xact_lock(hashtextextended('turnpike.batches ' || $1, 0)) AS locked`,
  row: z.object({ locked: z.boolean() }),
};

/** False while another process feeds the tenant's batches. Held until the transaction of `sql` ends. */
export async function tryLockBatches(sql: Sql, tenantId: string): Promise<boolean> {
  const [row] = await query(sql, LOCK, [tenantId]);
  return row?.locked === true;
}

const counted = (status: string): string =>
  `${status} = turn_batches.${status} + (SELECT count(*) FROM settled WHERE settled.batch_id = turn_batches.id AND settled.status = '${status}')`;

/*
 * Invariant: a line is counted in its batch when, and only when, it stops being open. The tenant's batches were locked
 * by an earlier statement (`tryLockBatches`), so nobody else settles them.
 */
const SETTLE = {
  name: 'settle-batch-lines',
  text: `
WITH ended AS MATERIALIZED (
  SELECT lines.batch_id, lines.index, coalesce(turns.status, 'cancelled') AS status
  FROM turn_batches AS batches JOIN batch_lines AS lines ON lines.batch_id = batches.id AND lines.status = 'open'
  LEFT JOIN turns ON turns.id = lines.turn_id
  WHERE batches.tenant_id = $1 AND batches.status IN ${OPEN_BATCH} AND (turns.id IS NULL OR turns.finished_at IS NOT NULL)
), settled AS (
  UPDATE batch_lines SET status = ended.status FROM ended
  WHERE batch_lines.batch_id = ended.batch_id AND batch_lines.index = ended.index
  RETURNING batch_lines.batch_id, batch_lines.status
), batches AS (
  UPDATE turn_batches SET ${['completed', 'failed', 'incomplete', 'cancelled'].map(counted).join(', ')}
  WHERE id IN (SELECT batch_id FROM settled)
)
SELECT status, count(*)::int AS lines FROM settled GROUP BY status`,
  row: z.object({ status: z.string(), lines: z.int() }),
};

/** Counts the tenant's lines whose turns have ended. Returns how many, by status. */
export function settleBatchLines(sql: Sql, tenantId: string): Promise<{ status: string; lines: number }[]> {
  return query(sql, SETTLE, [tenantId]);
}

const FINISH = {
  name: 'finish-batches',
  text: `
UPDATE turn_batches
SET status = CASE status WHEN 'cancelling' THEN 'cancelled' ELSE 'completed' END, ended_at = now(), waiting_for = NULL,
  cancelled = cancelled + line_count - next_line
WHERE tenant_id = $1 AND (status = 'cancelling' OR (status IN ('in_progress', 'paused') AND next_line = line_count))
  AND completed + failed + incomplete + cancelled + refused = next_line
RETURNING id, status`,
  row: z.object({ id: z.string(), status: z.enum(['completed', 'cancelled']) }),
};

const ANNOUNCE = {
  name: 'announce-batch',
  text: `SELECT turnpike_announce($1, $2, $3, $4::jsonb)::text AS announced`,
  row: z.object({ announced: z.string() }),
};

/** Ends the tenant's batches of which no line is open, or pending, and announces each once. Returns their ids. */
export async function finishBatches(sql: Sql, tenantId: string): Promise<string[]> {
  const finished = await query(sql, FINISH, [tenantId]);
  for (const { id, status } of finished) {
    const batch = await readBatch(sql, tenantId, id);
    if (batch === null) continue;
    // The body of a webhook is small.
    const { defaults: _defaults, ...shown } = batch;
    await query(sql, ANNOUNCE, [tenantId, newId('event'), `batch.${status}`, json({ batch: shown })]);
  }
  return finished.map(({ id }) => id);
}

const WINDOW = {
  name: 'read-batch-window',
  text: `
SELECT count(turns.id)::int AS open,
  (count(*) FILTER (WHERE turns.status IN ('in_progress', 'cancelling')
                       OR (turns.status = 'queued' AND turns.available_at IS NULL)))::int AS active,
  (SELECT coalesce(sum(workers.concurrency), 0)::int FROM workers WHERE ${isAlive('workers')}) AS slots
FROM turn_batches AS batches JOIN batch_lines AS lines ON lines.batch_id = batches.id AND lines.status = 'open'
JOIN turns ON turns.id = lines.turn_id
WHERE batches.tenant_id = $1 AND batches.status IN ${OPEN_BATCH}`,
  row: z.object({ open: z.int(), active: z.int(), slots: z.int() }),
};
export type BatchWindow = z.infer<typeof WINDOW.row>;

/**
 * The tenant's turns of batches that are open; of those, the ones that a worker has or could have now; and the slots of
 * all live workers.
 */
export async function readBatchWindow(sql: Sql, tenantId: string): Promise<BatchWindow> {
  const [window] = await query(sql, WINDOW, [tenantId]);
  return window ?? { open: 0, active: 0, slots: 0 };
}

const NEXT = {
  name: 'lock-next-batch',
  text: `
SELECT id, defaults, next_line AS "nextLine" FROM turn_batches
WHERE tenant_id = $1 AND status = 'in_progress' AND next_line < line_count AND id <> ALL ($2::text[])
ORDER BY fed_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`,
  // They are read with each line: what another version wrote there must not stop the tenant's other batches.
  row: z.object({ id: z.string(), defaults: z.unknown(), nextLine: z.int() }),
};
export type FedBatch = z.infer<typeof NEXT.row>;

/** The batch that was fed the longest time ago, of those with lines that are not turns yet, except `held`; locked. */
export async function lockNextBatch(
  sql: Sql,
  tenantId: string,
  held: readonly string[],
): Promise<FedBatch | null> {
  const [batch] = await query(sql, NEXT, [tenantId, held]);
  return batch ?? null;
}

const LINES = {
  name: 'read-next-lines',
  text: `
SELECT index, request FROM (
  SELECT index, request, sum(octet_length(request)) OVER (ORDER BY index) - octet_length(request) AS before
  FROM (SELECT index, request FROM batch_lines
        WHERE batch_id = $1 AND index >= $2 AND request IS NOT NULL ORDER BY index LIMIT $3) AS next
) AS lines WHERE before < $4 ORDER BY index`,
  row: z.object({ index: z.int(), request: z.string() }),
};
export type StoredLine = z.infer<typeof LINES.row>;

/** The next lines, `most.lines` at most: and none after the one with which they have `most.bytes`. */
export function readNextLines(
  sql: Sql,
  { id, nextLine }: FedBatch,
  most: { lines: number; bytes: number },
): Promise<StoredLine[]> {
  return query(sql, LINES, [id, nextLine, most.lines, most.bytes]);
}

/** What became of a line: a turn, or an error for which it can never become one. */
export type FedLine = { index: number } & (
  | { turnId: string; error: null }
  | { turnId: null; error: { code: string; message: string } }
);

const FED = parameterRows<FedLine>('fed', {
  index: ['int', ({ index }) => index],
  turn_id: ['text', ({ turnId }) => turnId],
  error: ['jsonb', ({ error }) => (error === null ? null : json(error))],
});

/*
 * Invariant: a line has a turn when, and only when, that turn is stored: in the transaction that stored it. Its batch
 * was locked by an earlier statement. The turn has the input from now on, so the line keeps no second one.
 */
const MARK = {
  name: 'mark-fed-lines',
  text: `
WITH marked AS (
  UPDATE batch_lines SET turn_id = fed.turn_id, error = fed.error, request = NULL,
    status = CASE WHEN fed.turn_id IS NULL THEN 'refused' ELSE 'open' END
  FROM ${FED.from} WHERE batch_lines.batch_id = $${FED.next} AND batch_lines.index = fed.index
  RETURNING batch_lines.turn_id
)
UPDATE turn_batches SET next_line = next_line + (SELECT count(*) FROM marked), fed_at = clock_timestamp(), waiting_for = NULL,
  refused = refused + (SELECT count(*) FROM marked WHERE turn_id IS NULL)
WHERE id = $${FED.next}
RETURNING id`,
  row: z.object({ id: z.string() }),
};

export async function markFedLines(sql: Sql, batchId: string, lines: readonly FedLine[]): Promise<void> {
  await query(sql, MARK, [...FED.values(lines), batchId]);
}

const WAIT = {
  name: 'set-batch-wait',
  text: `
UPDATE turn_batches SET waiting_for = $2
WHERE tenant_id = $1 AND status IN ('in_progress', 'paused') AND waiting_for IS DISTINCT FROM $2
  AND (next_line < line_count OR waiting_for IS NOT NULL)
  AND ($2 IS NOT NULL OR waiting_for <> 'file_not_ready') RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Shows why no batch of the tenant is fed at the moment; null: those are fed that wait for nothing of their own. */
export async function setBatchWait(sql: Sql, tenantId: string, wait: BatchWait | null): Promise<void> {
  await query(sql, WAIT, [tenantId, wait]);
}

const HOLD = {
  name: 'hold-batch',
  text: `UPDATE turn_batches SET waiting_for = $2, fed_at = clock_timestamp() WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** The next line of this batch, which is locked, waits for something of its own: the tenant's other batches come first. */
export async function holdBatch(sql: Sql, id: string, wait: BatchWait): Promise<void> {
  await query(sql, HOLD, [id, wait]);
}

const CANCEL = {
  name: 'find-turns-of-cancelled-batches',
  text: `
SELECT turns.id FROM turn_batches AS batches
JOIN batch_lines AS lines ON lines.batch_id = batches.id AND lines.status = 'open'
JOIN turns ON turns.id = lines.turn_id
WHERE batches.tenant_id = $1 AND batches.status = 'cancelling' AND turns.status IN ${TO_CANCEL_STATUSES}
LIMIT $2`,
  row: z.object({ id: z.string() }),
};

/** Open turns of the tenant's batches that are being cancelled, and that were not asked to stop yet. */
export async function findTurnsToCancel(sql: Sql, tenantId: string, limit: number): Promise<string[]> {
  return (await query(sql, CANCEL, [tenantId, limit])).map(({ id }) => id);
}

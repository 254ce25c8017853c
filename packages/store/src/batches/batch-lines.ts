import { isFinal, turnStatusSchema, type BatchResult } from '@turnpike/contract';
import { z } from 'zod';
import { parameterRows } from '../database/parameter-rows.ts';
import { query, type Sql } from '../database/sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from '../turns/stored-turn.ts';

/** A line of a batch that receives its lines. */
export interface NewLine {
  /** From 0. */
  index: number;
  customId: string;
  /** JSON of the line, without its `custom_id`. */
  request: string;
}

const GIVEN = parameterRows<NewLine>('given', {
  index: ['int', ({ index }) => index],
  custom_id: ['text', ({ customId }) => customId],
  request: ['text', ({ request }) => request],
});
const BATCH = `$${GIVEN.next}::text`;

/* A batch that was given up meanwhile is not there: the insert fails by its foreign key. */
const INSERT = {
  name: 'insert-batch-lines',
  text: `
WITH touched AS (
  UPDATE turn_batches SET fed_at = now() WHERE id = ${BATCH} AND status = 'receiving'
)
INSERT INTO batch_lines (batch_id, index, custom_id, request)
SELECT ${BATCH}, given.index, given.custom_id, given.request FROM ${GIVEN.from}
ON CONFLICT (batch_id, custom_id) DO NOTHING
RETURNING index`,
  row: z.object({ index: z.int() }),
};

/** Stores lines; returns those whose `custom_id` another line of the batch has, which are not stored. */
export async function insertBatchLines(
  sql: Sql,
  batchId: string,
  lines: readonly NewLine[],
): Promise<NewLine[]> {
  const stored = new Set(
    (await query(sql, INSERT, [...GIVEN.values(lines), batchId])).map(({ index }) => index),
  );
  return lines.filter(({ index }) => !stored.has(index));
}

const lineSchema = z.object({
  index: z.int(),
  customId: z.string(),
  lineStatus: z.enum(['pending', 'open', 'completed', 'failed', 'incomplete', 'cancelled', 'refused']),
  lineError: z.object({ code: z.string(), message: z.string() }).nullable(),
  isOver: z.boolean(),
  turnId: z.string().nullable(),
  turnStatus: turnStatusSchema.nullable(),
});
const resultRow = z.union([
  lineSchema.extend({ turnStatus: turnStatusSchema, ...storedTurnSchema.shape }),
  lineSchema.extend({ turnStatus: z.null() }),
]);

const RESULTS = {
  name: 'read-batch-results',
  text: `
SELECT lines.index, lines.custom_id AS "customId", lines.status AS "lineStatus", lines.error AS "lineError",
  batches.ended_at IS NOT NULL AS "isOver", lines.turn_id AS "turnId", turns.status AS "turnStatus", ${TURN_COLUMNS}
FROM batch_lines AS lines JOIN turn_batches AS batches ON batches.id = lines.batch_id
LEFT JOIN turns ON turns.id = lines.turn_id
WHERE batches.tenant_id = $1 AND lines.batch_id = $2 AND lines.index >= $3 AND batches.status <> 'deleting'
ORDER BY lines.index LIMIT $4`,
  row: resultRow,
};

/**
 * What became of the lines from `index` on, in their order: up to the first that has not ended, and `limit` of them at
 * most.
 */
export async function readBatchResults(
  sql: Sql,
  batch: { tenantId: string; id: string },
  page: { index: number; limit: number },
): Promise<BatchResult[]> {
  const rows = await query(sql, RESULTS, [batch.tenantId, batch.id, page.index, page.limit]);
  const results: BatchResult[] = [];
  for (const row of rows) {
    const result = resultOf(row);
    if (result === null) break;
    results.push(result);
  }
  return results;
}

function resultOf(row: z.infer<typeof resultRow>): BatchResult | null {
  const line = { line: row.index + 1, custom_id: row.customId, error: row.lineError };
  if (row.turnStatus !== null) {
    const turn = asTurn(row);
    return isFinal(turn.status) ? { ...line, status: turn.status, turn } : null;
  }
  if (row.lineStatus === 'pending') return row.isOver ? { ...line, status: 'cancelled', turn: null } : null;
  const erased = row.turnId === null ? null : ERASED;
  const status = row.lineStatus === 'open' ? 'cancelled' : row.lineStatus;
  return { ...line, status, turn: null, error: row.lineError ?? erased };
}

const ERASED = { code: 'turn_erased', message: 'The turn, or its session, was deleted.' };

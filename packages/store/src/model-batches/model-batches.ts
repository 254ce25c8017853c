import { newId } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';
import { json, query, transaction, type Sql } from '../database/sql.ts';
import { batchRouteSchema } from './batched-calls.ts';

const READY = {
  name: 'find-calls-to-batch',
  text: `
SELECT tenant_id AS "tenantId", route_hash AS "routeHash" FROM batched_calls WHERE status = 'waiting'
GROUP BY tenant_id, route_hash
HAVING min(send_at) <= now() OR count(*) FILTER (WHERE send_at <= now() + $1::double precision * interval '1 millisecond') >= $2
LIMIT $3`,
  row: z.object({ tenantId: z.string(), routeHash: z.string() }),
};
export type BatchGroup = z.infer<typeof READY.row>;

/** Calls that may share a batch and need not wait for others: the first has waited for its window, or there are `most`. */
export function findCallsToBatch(
  sql: Sql,
  { windowMs, most, limit }: { windowMs: number; most: number; limit: number },
): Promise<BatchGroup[]> {
  return query(sql, READY, [windowMs, most, limit]);
}

const TAKE = {
  name: 'take-calls-to-batch',
  text: `
SELECT batched_calls.id, octet_length(batched_calls.body) AS bytes, batched_calls.route FROM batched_calls
JOIN turns ON turns.id = batched_calls.turn_id AND turns.finished_at IS NULL
WHERE batched_calls.tenant_id = $1 AND route_hash = $2 AND batched_calls.status = 'waiting'
ORDER BY batched_calls.created_at LIMIT $3 FOR UPDATE OF batched_calls SKIP LOCKED`,
  row: z.object({ id: z.string(), bytes: z.int(), route: batchRouteSchema }),
};
const OPEN = {
  name: 'open-model-batch',
  text: `
INSERT INTO model_batches (id, tenant_id, route, requests, poll_at)
VALUES ($1, $2, $3::jsonb, $4::int, now() + $5::double precision * interval '1 millisecond') RETURNING id`,
  row: z.object({ id: z.string() }),
};
const JOIN = {
  name: 'join-model-batch',
  text: `UPDATE batched_calls SET status = 'sent', batch_id = $1 WHERE id = ANY ($2) RETURNING id, body`,
  row: z.object({ id: z.string(), body: z.string() }),
};

export interface OpenedBatch {
  id: string;
  tenantId: string;
  route: z.infer<typeof batchRouteSchema>;
  calls: { id: string; body: string }[];
}

/**
 * Takes waiting calls into a new batch, which is `submitting` from then on: the intent, committed before anything is
 * sent. After `submitMs` whoever finds it so looks for it at the model API. Null where there are no calls.
 */
export function openModelBatch(
  pool: pg.Pool,
  { tenantId, routeHash }: BatchGroup,
  { most, mostBytes, submitMs }: { most: number; mostBytes: number; submitMs: number },
): Promise<OpenedBatch | null> {
  return transaction(pool, async (sql) => {
    const found = await query(sql, TAKE, [tenantId, routeHash, most]);
    const [first] = found;
    if (first === undefined) return null;
    // Bodies are read once it is known which of them fit.
    let bytes = 0;
    const tooLarge = found.findIndex((call, index) => (bytes += call.bytes) > mostBytes && index > 0);
    const fitting = tooLarge === -1 ? found : found.slice(0, tooLarge);
    const id = newId('modelBatch');
    await query(sql, OPEN, [id, tenantId, json(first.route), fitting.length, submitMs]);
    const calls = await query(sql, JOIN, [id, fitting.map((call) => call.id)]);
    return { id, tenantId, route: first.route, calls };
  });
}

/* Invariant: a batch gets one id at the model API. */
const BEGUN = {
  name: 'begin-model-batch',
  text: `
WITH begun AS (
  UPDATE model_batches SET status = 'in_progress', provider_id = $2,
         poll_at = now() + $3::double precision * interval '1 millisecond'
  WHERE id = $1 AND status = 'submitting' RETURNING id
), kept AS (
  UPDATE batched_calls SET body = NULL FROM begun WHERE batched_calls.batch_id = begun.id
)
SELECT id FROM begun`,
  row: z.object({ id: z.string() }),
};

/** The model API has the batch, by this id. Changes nothing where that was known. */
export async function beginModelBatch(
  sql: Sql,
  id: string,
  providerId: string,
  pollMs: number,
): Promise<void> {
  await query(sql, BEGUN, [id, providerId, pollMs]);
}

/* Invariant: calls leave a batch only while nobody knows its id at the model API. */
const UNDO = {
  name: 'undo-model-batch',
  text: `
WITH undone AS MATERIALIZED (
  SELECT id FROM model_batches WHERE id = $1 AND status = 'submitting' FOR UPDATE
), calls AS (
  UPDATE batched_calls
  SET batch_id = NULL, status = $3::text, send_at = now() + $2::double precision * interval '1 millisecond'
  FROM undone WHERE batched_calls.batch_id = undone.id AND batched_calls.status = 'sent'
)
DELETE FROM model_batches USING undone WHERE model_batches.id = undone.id RETURNING model_batches.id`,
  row: z.object({ id: z.string() }),
};

/** The model API does not have this batch, for certain: its calls wait for another, from `waitMs` on. */
export async function undoModelBatch(sql: Sql, id: string, waitMs: number): Promise<void> {
  await query(sql, UNDO, [id, waitMs, 'waiting']);
}

/** The model API refused the batch: its calls are made by themselves. */
export async function refuseModelBatch(sql: Sql, id: string): Promise<void> {
  await query(sql, UNDO, [id, 0, 'ended']);
}

const DUE = {
  name: 'take-due-model-batches',
  text: `
WITH due AS MATERIALIZED (
  SELECT id FROM model_batches WHERE status <> 'ended' AND poll_at <= now()
  ORDER BY poll_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE model_batches SET poll_at = now() + $2::double precision * interval '1 millisecond' FROM due
WHERE model_batches.id = due.id
RETURNING model_batches.id, tenant_id AS "tenantId", provider_id AS "providerId", route, requests,
  extract(epoch FROM created_at)::double precision * 1000 AS "createdAt"`,
  row: z.object({
    id: z.string(),
    tenantId: z.string(),
    /** Null while nobody knows how its submission ended. */
    providerId: z.string().nullable(),
    route: batchRouteSchema,
    requests: z.int(),
    /** Milliseconds since 1970. */
    createdAt: z.number(),
  }),
};
export type DueBatch = z.infer<typeof DUE.row>;

/** Batches that are to be asked for now; to whoever gets one, nobody else is given it for `pollMs`. */
export function takeDueBatches(sql: Sql, limit: number, pollMs: number): Promise<DueBatch[]> {
  return query(sql, DUE, [limit, pollMs]);
}

const KNOWN = {
  name: 'find-known-model-batches',
  text: `SELECT provider_id AS id FROM model_batches WHERE provider_id = ANY ($1)`,
  row: z.object({ id: z.string() }),
};

/** Those of these ids at the model API that are batches of ours. */
export async function findKnownBatches(sql: Sql, providerIds: readonly string[]): Promise<Set<string>> {
  return new Set((await query(sql, KNOWN, [providerIds])).map(({ id }) => id));
}

const HAS = {
  name: 'model-batch-has-call',
  text: `SELECT id FROM batched_calls WHERE batch_id = $1 AND id = $2`,
  row: z.object({ id: z.string() }),
};

/** Whether a call of this id went into the batch. */
export async function hasBatchedCall(sql: Sql, batchId: string, callId: string): Promise<boolean> {
  return (await query(sql, HAS, [batchId, callId])).length > 0;
}

/* Invariant: a call gets one result. */
const RESULTS = {
  name: 'store-batch-results',
  text: `
UPDATE batched_calls SET status = 'ended', result = given.result, body = NULL
FROM unnest($2::text[], $3::text[]) AS given(id, result)
WHERE batched_calls.id = given.id AND batched_calls.batch_id = $1 AND batched_calls.status = 'sent'
RETURNING batched_calls.id`,
  row: z.object({ id: z.string() }),
};

/** Stores what the batch has for some of its calls. A call that has a result keeps it. */
export async function storeBatchResults(
  sql: Sql,
  batchId: string,
  results: readonly { callId: string; result: string }[],
): Promise<void> {
  const ids = results.map(({ callId }) => callId);
  await query(sql, RESULTS, [batchId, ids, results.map(({ result }) => result)]);
}

const END = {
  name: 'end-model-batch',
  text: `
WITH missing AS (
  UPDATE batched_calls SET status = 'ended', body = NULL WHERE batch_id = $1 AND status = 'sent'
)
UPDATE model_batches SET status = 'ended' WHERE id = $1 AND status <> 'ended' RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Nothing more comes of the batch: a call that has no result was not made. */
export async function endModelBatch(sql: Sql, batchId: string): Promise<void> {
  await query(sql, END, [batchId]);
}

const PRUNE = {
  name: 'prune-model-batches',
  text: `
DELETE FROM model_batches WHERE id IN (
  SELECT id FROM model_batches WHERE status = 'ended' AND created_at < now() - interval '3 days' LIMIT $1)
RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Removes batches that ended long ago: until then they are known where one is looked for. */
export async function pruneModelBatches(sql: Sql, limit: number): Promise<void> {
  await query(sql, PRUNE, [limit]);
}

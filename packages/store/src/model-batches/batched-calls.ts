import { newId } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

/** By which key, and at which address, a batch is submitted and asked for. It contains no key. */
export const batchRouteSchema = z.object({
  /** The name of the tenant's secret; null: the operator's key. */
  keyName: z.string().nullable(),
  /** Null: the operator's endpoint. */
  baseUrl: z.string().nullable(),
  auth: z.enum(['x-api-key', 'bearer']),
  apiVersion: z.string(),
  betas: z.array(z.string()),
});
export type BatchRoute = z.infer<typeof batchRouteSchema>;

/** What the price of a call depends on. */
export const pricedSchema = z.object({
  model: z.string(),
  cache_ttl: z.enum(['5m', '1h']).optional(),
  inference_geo: z.string().optional(),
});
export type Priced = z.infer<typeof pricedSchema>;

const statusSchema = z.enum(['waiting', 'sent', 'ended']);

const FIND = {
  name: 'find-batched-call',
  text: `SELECT id, status, result, abandoned FROM batched_calls WHERE turn_id = $1 AND step_index = $2`,
  row: z.object({
    id: z.string(),
    status: statusSchema,
    result: z.string().nullable(),
    abandoned: z.boolean(),
  }),
};
export type BatchedCall = z.infer<typeof FIND.row>;

/** The call of a step; null where it does not go through a batch. */
export async function findBatchedCall(
  sql: Sql,
  turnId: string,
  stepIndex: number,
): Promise<BatchedCall | null> {
  const [call] = await query(sql, FIND, [turnId, stepIndex]);
  return call ?? null;
}

/*
 * Invariant: a step has one call, and only the holder of the lease adds it. Its row is what is reserved for it, from
 * before its turn gives up the lease, and with that the reservation of the turn.
 */
const ADD = {
  name: 'add-batched-call',
  text: `
INSERT INTO batched_calls (id, tenant_id, turn_id, step_index, route, route_hash, body, priced, most_micros, send_at)
SELECT $4, turns.tenant_id, turns.id, $3, $5::text::jsonb, md5($5::text), $6, $7::jsonb, $8::bigint,
       now() + $9::double precision * interval '1 millisecond'
FROM turns WHERE turns.id = $1 AND turns.epoch = $2 AND turns.status = 'in_progress' AND turns.leased_until > now()
ON CONFLICT (turn_id, step_index) DO NOTHING
RETURNING id`,
  row: z.object({ id: z.string() }),
};

export interface NewBatchedCall {
  stepIndex: number;
  route: BatchRoute;
  body: string;
  priced: Priced;
  mostMicros: number;
  /** How long it waits for others at most. */
  windowMs: number;
}

/** Adds the call of a step. Changes nothing where the lease does not hold, or the step has a call already. */
export async function addBatchedCall(
  sql: Sql,
  lease: { turnId: string; epoch: number },
  { stepIndex, route, body, priced, mostMicros, windowMs }: NewBatchedCall,
): Promise<void> {
  const { turnId, epoch } = lease;
  const id = newId('batchedCall');
  const values = [turnId, epoch, stepIndex, id, json(route), body, json(priced), mostMicros, windowMs];
  await query(sql, ADD, values);
}

/*
 * Invariant: a call is made by itself only after its row says so, or is gone. A batch takes only rows that are there,
 * under the same lock, so a call that was withdrawn is in no batch.
 */
const LEAVE = {
  name: 'leave-batch',
  text: `
WITH locked AS MATERIALIZED (
  SELECT id, status FROM batched_calls WHERE id = $1 FOR UPDATE
), withdrawn AS (
  DELETE FROM batched_calls USING locked WHERE batched_calls.id = locked.id AND locked.status = 'waiting'
), left_behind AS (
  UPDATE batched_calls SET abandoned = true FROM locked WHERE batched_calls.id = locked.id AND locked.status = 'sent'
)
SELECT status FROM locked`,
  row: z.object({ status: statusSchema }),
};

/**
 * The turn does not wait for this call any longer. `waiting`: it was withdrawn, and costs nothing; `sent`: it is paid
 * for when it has ended; `ended`: it has a result, and nothing was changed.
 */
export async function leaveBatch(sql: Sql, id: string): Promise<BatchedCall['status'] | null> {
  const [left] = await query(sql, LEAVE, [id]);
  return left?.status ?? null;
}

/*
 * Invariant: a turn that waits for its call is ready once the call has ended. It is told by its error from one that
 * waits for something else. The row stays until the result is a step, so a turn that was about to be parked is found by
 * the next pass.
 */
const WAKE = {
  name: 'wake-batched-turns',
  text: `
WITH due AS MATERIALIZED (
  SELECT turns.id FROM batched_calls JOIN turns ON turns.id = batched_calls.turn_id
  WHERE batched_calls.status = 'ended' AND turns.status = 'queued' AND turns.available_at > now()
    AND turns.step_count = batched_calls.step_index AND turns.error ->> 'code' = 'model_batch'
  LIMIT $1 FOR NO KEY UPDATE OF turns SKIP LOCKED
)
UPDATE turns SET available_at = NULL, ready_at = now() FROM due WHERE turns.id = due.id
RETURNING turns.tenant_id AS "tenantId"`,
  row: z.object({ tenantId: z.string() }),
};

/** Makes up to `limit` turns ready whose calls have ended. Returns their tenants, and how many turns there were. */
export async function wakeBatchedTurns(
  sql: Sql,
  limit: number,
): Promise<{ tenantIds: string[]; turns: number }> {
  const woken = await query(sql, WAKE, [limit]);
  return { tenantIds: [...new Set(woken.map(({ tenantId }) => tenantId))], turns: woken.length };
}

/*
 * Calls whose result is a step, and those which nobody waits for any more and no batch has: each by its own partial index.
 */
const PRUNE = {
  name: 'prune-batched-calls',
  text: `
WITH done AS MATERIALIZED (
  SELECT batched_calls.id FROM batched_calls JOIN turns ON turns.id = batched_calls.turn_id
  WHERE batched_calls.status = 'ended' AND NOT abandoned AND turns.step_count > batched_calls.step_index
  LIMIT $1 FOR UPDATE OF batched_calls SKIP LOCKED
), withdrawn AS MATERIALIZED (
  SELECT batched_calls.id FROM batched_calls JOIN turns ON turns.id = batched_calls.turn_id
  WHERE batched_calls.status = 'waiting' AND turns.finished_at IS NOT NULL
  LIMIT $1 FOR UPDATE OF batched_calls SKIP LOCKED
)
DELETE FROM batched_calls
WHERE id IN (SELECT id FROM done UNION ALL SELECT id FROM withdrawn) RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Removes calls that are settled, up to `limit` of each kind. Returns how many. */
export async function pruneBatchedCalls(sql: Sql, limit: number): Promise<number> {
  return (await query(sql, PRUNE, [limit])).length;
}

const UNUSED = {
  name: 'read-unused-batched-calls',
  text: `
SELECT batched_calls.id, batched_calls.result, batched_calls.priced, turns.id AS "turnId",
       turns.tenant_id AS "tenantId", turns.session_id AS "sessionId", turns.agent_id AS "agentId", turns.epoch
FROM batched_calls JOIN turns ON turns.id = batched_calls.turn_id
WHERE batched_calls.status = 'ended' AND (abandoned OR turns.finished_at IS NOT NULL AND turns.step_count <= batched_calls.step_index)
LIMIT $1`,
  row: z.object({
    id: z.string(),
    result: z.string().nullable(),
    priced: pricedSchema,
    turnId: z.string(),
    tenantId: z.string(),
    sessionId: z.string(),
    agentId: z.string(),
    epoch: z.int(),
  }),
};
export type UnusedCall = z.infer<typeof UNUSED.row>;

/** Calls that have ended and are no step of their turn, nor ever will be: they are paid for all the same. */
export function readUnusedCalls(sql: Sql, limit: number): Promise<UnusedCall[]> {
  return query(sql, UNUSED, [limit]);
}

const DELETE = {
  name: 'delete-batched-call',
  text: `DELETE FROM batched_calls WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Removes a call whose cost is in the ledger. */
export async function deleteBatchedCall(sql: Sql, id: string): Promise<void> {
  await query(sql, DELETE, [id]);
}

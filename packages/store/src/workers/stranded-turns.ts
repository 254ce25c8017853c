import { ID_PREFIXES } from '@turnpike/contract';
import { z } from 'zod';
import { parameterRows } from '../database/parameter-rows.ts';
import { query, type Sql } from '../database/sql.ts';
import { isReady } from '../turns/dispatch-turns.ts';
import { canRun, isAlive, PLAIN } from './capability.ts';

const turnSchema = z.object({ turnId: z.string(), tenantId: z.string(), sessionId: z.string() });
/** A turn that workers came or went for. */
export type StrandedTurn = z.infer<typeof turnSchema>;

/** A live worker can run `turn`. Reads all of `workers`, which are few. */
const somebodyCan = (turn: string): string => `EXISTS (
    SELECT 1 FROM workers WHERE ${isAlive('workers')} AND ${canRun(turn, 'workers.pool', 'workers.code_tools')})`;

/** Not for any worker of the default pool. A plain turn waits in the queue for the first worker that starts. */
const NEEDS_MORE = `(turns.pool <> '${PLAIN.pool}' OR turns.code_tools <> '{}')`;

export const LIVE_QUEUES = `SELECT DISTINCT queue FROM workers WHERE ${isAlive('workers')} ORDER BY queue LIMIT 1000`;

const QUEUES = {
  name: 'list-live-queues',
  text: LIVE_QUEUES,
  row: z.object({ queue: z.string() }),
};

/** The queues that live workers consume, in one order. */
export async function listLiveQueues(sql: Sql): Promise<string[]> {
  return (await query(sql, QUEUES, [])).map(({ queue }) => queue);
}

/*
 * Invariant: no turn stays in a queue that no live worker consumes, except where it is in the plain queue and no worker
 * lives that could run it. It is taken out, and dispatched anew.
 */
const TAKE_BACK_UNCONSUMED = {
  name: 'take-back-unconsumed-turns',
  text: `
UPDATE turns SET dispatched_at = NULL
WHERE id = ANY (ARRAY(
  SELECT id FROM turns
  WHERE status = 'queued' AND dispatched_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM workers WHERE ${isAlive('workers')}
                    AND workers.queue = coalesce(turns.queue, '${PLAIN.queue}'))
    AND (turns.queue IS NOT NULL OR ${NEEDS_MORE} OR ${somebodyCan('turns')})
  LIMIT $1 FOR NO KEY UPDATE OF turns SKIP LOCKED
)) AND status = 'queued' AND dispatched_at IS NOT NULL
RETURNING id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId"`,
  row: turnSchema,
};

/** Takes up to `limit` turns out of queues whose workers are all gone. Their tenants' turns must be dispatched then. */
export function takeBackUnconsumed(sql: Sql, limit: number): Promise<StrandedTurn[]> {
  return query(sql, TAKE_BACK_UNCONSUMED, [limit]);
}

const UNCLAIMED = parameterRows<UnclaimedJob>('job', {
  id: ['text', ({ turnId }) => turnId],
  epoch: ['int', ({ epoch }) => epoch],
  number: ['int', ({ jobNumber }) => jobNumber],
});
interface UnclaimedJob {
  turnId: string;
  epoch: number;
  jobNumber: number;
}

/*
 * The job stays in its queue, and the next dispatch adds another one, perhaps in the queue of other workers. Whichever is
 * received first is claimed, and the other is stale then.
 */
const OFFER_ELSEWHERE = {
  name: 'offer-turns-elsewhere',
  text: `
UPDATE turns SET dispatched_at = NULL
WHERE id = ANY (ARRAY(
  SELECT turns.id FROM ${UNCLAIMED.from}
  JOIN turns ON turns.id = job.id AND turns.epoch = job.epoch AND turns.hint = job.number
  WHERE turns.status = 'queued' AND turns.dispatched_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM workers WHERE ${isAlive('workers')} AND ${canRun('turns', 'workers.pool', 'workers.code_tools')}
      AND workers.queue <> coalesce(turns.queue, '${PLAIN.queue}'))
  FOR NO KEY UPDATE OF turns SKIP LOCKED
)) AND status = 'queued' AND dispatched_at IS NOT NULL
RETURNING id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId"`,
  row: turnSchema,
};

/**
 * Takes those turns back that workers with another queue can run too: those of this one may be full, or have died a
 * moment ago. Their tenants' turns must be dispatched then.
 */
export function offerElsewhere(sql: Sql, jobs: readonly UnclaimedJob[]): Promise<StrandedTurn[]> {
  return query(sql, OFFER_ELSEWHERE, UNCLAIMED.values(jobs));
}

/**
 * Steps through an index on (pool, code_tools) from one distinct value to the next, so that a hundred thousand turns
 * with the same needs cost one look-up.
 */
export const needsOfTurns = (condition: string): string => `
WITH RECURSIVE needs AS (
  (SELECT pool, code_tools, 1 AS place FROM turns WHERE ${condition} ORDER BY pool, code_tools LIMIT 1)
  UNION ALL
  SELECT next.pool, next.code_tools, needs.place + 1
  FROM needs CROSS JOIN LATERAL (
    SELECT pool, code_tools FROM turns
    WHERE ${condition} AND (turns.pool, turns.code_tools) > (needs.pool, needs.code_tools)
    ORDER BY pool, code_tools LIMIT 1
  ) AS next
  WHERE needs.place < 1000
)`;

/** Ready, and not for any worker of the default pool: a turn of the index `turns_needing`. */
export const READY = `${isReady('turns')} AND ${NEEDS_MORE}`;
const ASIDE = `turns.status = 'queued' AND turns.waiting_for IS NOT NULL`;

/** A turn is put aside for longer than any deploy. It is looked at again after that, and when workers start. */
const ASIDE_FOR = `interval '1 hour'`;

/*
 * Invariant: a ready turn that no live worker can run is put aside, so that no dispatch reads it again and again, and
 * says what it waits for: the tools that no worker of its pool has, or all of its tools where some have each but none
 * has all. The event is written once for each time that it begins to wait.
 */
const PUT_ASIDE = {
  name: 'put-turns-aside',
  text: `${needsOfTurns(READY)}, unmet AS MATERIALIZED (
  SELECT needs.pool, needs.code_tools, ARRAY(
    SELECT tool FROM unnest(needs.code_tools) AS tool
    WHERE NOT EXISTS (SELECT 1 FROM workers WHERE ${isAlive('workers')} AND workers.pool = needs.pool
                      AND tool = ANY (workers.code_tools))
    ORDER BY tool) AS missing
  FROM needs WHERE NOT ${somebodyCan('needs')}
), stuck AS MATERIALIZED (
  SELECT waiting.id, waiting.is_new, unmet.missing
  FROM unmet CROSS JOIN LATERAL (
    SELECT turns.id, turns.waiting_for IS NULL AS is_new FROM turns
    WHERE ${READY} AND turns.pool = unmet.pool AND turns.code_tools = unmet.code_tools
      AND turns.ready_at < now() - $2::double precision * interval '1 millisecond'
    ORDER BY turns.ready_at LIMIT $1 FOR NO KEY UPDATE OF turns SKIP LOCKED
  ) AS waiting
), aside AS (
  UPDATE turns SET available_at = now() + ${ASIDE_FOR}, event_count = turns.event_count + stuck.is_new::int,
    waiting_for = coalesce(turns.waiting_for, jsonb_build_object(
      'pool', turns.pool, 'since', turns.ready_at,
      'tools', CASE WHEN cardinality(stuck.missing) > 0 THEN stuck.missing ELSE turns.code_tools END))
  FROM stuck WHERE turns.id = stuck.id AND turns.status = 'queued' AND turns.dispatched_at IS NULL
  RETURNING turns.id, turns.tenant_id, turns.session_id, turns.event_count, turns.waiting_for, stuck.is_new
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT id, event_count, turnpike_new_id('${ID_PREFIXES.event}'), tenant_id, 'turn.waiting_for_tool',
    jsonb_build_object('waiting_for', waiting_for)
  FROM aside WHERE is_new
)
SELECT id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId" FROM aside WHERE is_new`,
  row: turnSchema,
};

/**
 * Puts up to `limit` turns of each kind aside that have been ready for `afterMs`, and that no live worker can run. Returns those that
 * say so now.
 */
export function putAside(sql: Sql, limit: number, afterMs: number): Promise<StrandedTurn[]> {
  return query(sql, PUT_ASIDE, [limit, afterMs]);
}

/* `ready_at` stays: the turn keeps its position among its tenant's. */
const TAKE_UP = {
  name: 'take-up-turns',
  text: `${needsOfTurns(ASIDE)}, met AS MATERIALIZED (
  SELECT pool, code_tools FROM needs WHERE ${somebodyCan('needs')}
)
UPDATE turns SET available_at = NULL, waiting_for = NULL
WHERE id = ANY (ARRAY(
  SELECT waiting.id FROM met CROSS JOIN LATERAL (
    SELECT turns.id FROM turns
    WHERE ${ASIDE} AND turns.dispatched_at IS NULL AND turns.pool = met.pool AND turns.code_tools = met.code_tools
    LIMIT $1 FOR NO KEY UPDATE OF turns SKIP LOCKED
  ) AS waiting
)) AND status = 'queued' AND waiting_for IS NOT NULL
RETURNING id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId"`,
  row: turnSchema,
};

/** Makes up to `limit` turns of each kind available again that were put aside and that a live worker can run now. */
export function takeUp(sql: Sql, limit: number): Promise<StrandedTurn[]> {
  return query(sql, TAKE_UP, [limit]);
}

const WAITING_BY_POOL = {
  name: 'waiting-by-pool',
  text: `SELECT pool, waiting, oldest_seconds AS "oldestSeconds" FROM turnpike_waiting_by_pool() ORDER BY pool LIMIT 50`,
  row: z.object({ pool: z.string(), waiting: z.int(), oldestSeconds: z.number() }),
};

/**
 * How many turns of each pool lack a worker, and for how long the oldest has: what is dispatched and not claimed, and
 * what waits for a worker with its tools. A pool with live workers is there with none, too.
 */
export function readWaitingByPool(
  sql: Sql,
): Promise<{ pool: string; waiting: number; oldestSeconds: number }[]> {
  return query(sql, WAITING_BY_POOL, [], 2_500);
}

const WAITING = {
  name: 'count-turns-waiting-for-tools',
  text: `
SELECT pool, count(*)::int AS turns,
  max(extract(epoch FROM now() - (waiting_for ->> 'since')::timestamptz))::double precision AS "oldestSeconds"
FROM (SELECT pool, waiting_for FROM turns WHERE status = 'queued' AND waiting_for IS NOT NULL LIMIT 100000) AS turn
GROUP BY pool ORDER BY pool LIMIT 50`,
  row: z.object({ pool: z.string(), turns: z.int(), oldestSeconds: z.number() }),
};

/** How many turns of each pool wait for a worker with their tools, and for how long the oldest has. */
export function readWaitingForTools(
  sql: Sql,
): Promise<{ pool: string; turns: number; oldestSeconds: number }[]> {
  return query(sql, WAITING, [], 2_500);
}

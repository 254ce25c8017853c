import { DEFAULT_POOL, type Worker, type WorkerPool } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { isReady } from '../turns/dispatch-turns.ts';
import { isAlive } from '../workers/capability.ts';
import { needsOfTurns, READY } from '../workers/stranded-turns.ts';
import { COUNTS, countsOf, shownCounts, turnCountsSchema } from './turn-counts.ts';

/** Pools that are shown: those with workers first. */
const MOST_POOLS = 200;

const poolRow = turnCountsSchema
  .extend({
    name: z.string(),
    pausedAt: z.date().nullable(),
    workers: z.int(),
    slots: z.int(),
    versions: z.array(z.object({ version: z.string().nullable(), workers: z.int() })),
  })
  .transform((row): WorkerPool => ({
    object: 'pool',
    name: row.name,
    paused_at: row.pausedAt?.toISOString() ?? null,
    workers: row.workers,
    slots: row.slots,
    versions: row.versions,
    ...shownCounts(row),
  }));

/* A pool is there where a worker or a turn that waits names it, and where it is paused. */
const LIST = {
  name: 'list-worker-pools',
  text: `${needsOfTurns(READY)}, live AS MATERIALIZED (
  SELECT workers.pool, workers.concurrency, worker_builds.version
  FROM workers LEFT JOIN worker_builds ON worker_builds.id = workers.build WHERE ${isAlive('workers')}
), by_version AS (
  SELECT pool, version, count(*)::int AS workers, sum(concurrency)::int AS slots FROM live GROUP BY pool, version
), staffed AS (
  SELECT pool, sum(workers)::int AS workers, sum(slots)::int AS slots,
    json_agg(json_build_object('version', version, 'workers', workers) ORDER BY workers DESC, version) AS versions
  FROM by_version GROUP BY pool
), names AS (
  SELECT $2::text AS pool
  UNION SELECT pool FROM staffed
  UNION SELECT pool FROM paused_pools
  UNION SELECT pool FROM needs
), page AS MATERIALIZED (
  SELECT names.pool, coalesce(staffed.workers, 0) AS workers, coalesce(staffed.slots, 0) AS slots,
    coalesce(staffed.versions, '[]') AS versions, paused_pools.paused_at
  FROM names LEFT JOIN staffed USING (pool) LEFT JOIN paused_pools USING (pool)
  WHERE $1::text IS NULL OR names.pool = $1
  ORDER BY (staffed.pool IS NULL), names.pool LIMIT ${MOST_POOLS}
)
SELECT page.pool AS name, page.workers, page.slots, page.versions, page.paused_at AS "pausedAt", ${COUNTS}
FROM page ${countsOf('pool', 'page.pool')} ORDER BY page.pool`,
  row: poolRow,
};

/** The pools of workers, by name. */
export function listWorkerPools(sql: Sql): Promise<WorkerPool[]> {
  return query(sql, LIST, [null, DEFAULT_POOL]);
}

/** Null where no worker and no turn that waits names it, and it is not paused. */
export async function readWorkerPool(sql: Sql, name: string): Promise<WorkerPool | null> {
  const [pool] = await query(sql, LIST, [name, DEFAULT_POOL]);
  return pool ?? null;
}

/*
 * Turns that are dispatched already are taken back, so that no claim gets them. A dispatch that had begun before may add
 * a few: those may start, as turns that run go on.
 */
const PAUSE = {
  name: 'pause-pool',
  text: `
WITH paused AS (
  INSERT INTO paused_pools (pool) VALUES ($1) ON CONFLICT (pool) DO UPDATE SET pool = excluded.pool RETURNING pool
), taken_back AS (
  UPDATE turns SET dispatched_at = NULL WHERE pool = $1 AND status = 'queued' AND dispatched_at IS NOT NULL
)
SELECT pool FROM paused`,
  row: z.object({ pool: z.string() }),
};
const RESUME = {
  name: 'resume-pool',
  text: `
WITH resumed AS (DELETE FROM paused_pools WHERE pool = $1)
SELECT DISTINCT tenant_id AS "tenantId" FROM (
  SELECT tenant_id FROM turns
  WHERE pool = $1 AND ${isReady('turns')}
  LIMIT 10000
) AS waits`,
  row: z.object({ tenantId: z.string() }),
};

/** No turn of the pool is dispatched until it is resumed; turns that run go on. */
export async function pausePool(sql: Sql, name: string): Promise<void> {
  await query(sql, PAUSE, [name]);
}

/** Returns tenants whose turns waited for it, and must be dispatched now. Others follow with the next pass. */
export async function resumePool(sql: Sql, name: string): Promise<string[]> {
  return (await query(sql, RESUME, [name])).map(({ tenantId }) => tenantId);
}

const workerRow = z
  .object({
    id: z.string(),
    pool: z.string(),
    slots: z.int(),
    running: z.int(),
    version: z.string().nullable(),
    tools: z.array(z.string()),
    seenAt: z.date(),
  })
  .transform((row): Worker => ({
    id: row.id,
    object: 'worker',
    pool: row.pool,
    slots: row.slots,
    running_turns: row.running,
    version: row.version,
    tools: row.tools,
    seen_at: row.seenAt.toISOString(),
  }));

const WORKERS = {
  name: 'list-live-workers',
  text: `
WITH held AS MATERIALIZED (
  SELECT worker_id, count(*)::int AS running FROM turns
  WHERE dispatched_at IS NOT NULL AND status <> 'queued' AND worker_id IS NOT NULL GROUP BY worker_id
)
SELECT workers.id, workers.pool, workers.concurrency AS slots, coalesce(held.running, 0) AS running,
  worker_builds.version, coalesce(workers.code_tools, '{}') AS tools, workers.seen_at AS "seenAt"
FROM workers LEFT JOIN worker_builds ON worker_builds.id = workers.build LEFT JOIN held ON held.worker_id = workers.id
WHERE ${isAlive('workers')} AND ($1::text IS NULL OR workers.id > $1) AND ($2::text IS NULL OR workers.pool = $2)
ORDER BY workers.id LIMIT $3`,
  row: workerRow,
};

/** Live workers, by id, those after `cursor` (the id of the last one seen). */
export function listWorkers(
  sql: Sql,
  page: { cursor: string | null; limit: number },
  pool: string | null,
): Promise<Worker[]> {
  return query(sql, WORKERS, [page.cursor, pool, page.limit]);
}

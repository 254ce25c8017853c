import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { isReady } from './dispatch-turns.ts';

const LIMIT_MS = 2_500;

const backlogSchema = z.object({
  ready: z.int(),
  dispatched: z.int(),
  delayed: z.int(),
  readySeconds: z.number(),
  dispatchedSeconds: z.number(),
});
export type TurnBacklog = z.infer<typeof backlogSchema>;

/* Each part reads a partial index of only these turns: `turns_ready`, `turns_hinted`, `turns_delayed`. */
const BACKLOG = {
  name: 'turn-backlog',
  text: `
SELECT ready.count AS ready, dispatched.count AS dispatched, delayed.count AS delayed,
  coalesce(extract(epoch FROM now() - ready.oldest), 0)::double precision AS "readySeconds",
  coalesce(extract(epoch FROM now() - dispatched.oldest), 0)::double precision AS "dispatchedSeconds"
FROM (
  SELECT count(*)::int AS count, min(ready_at) AS oldest
  FROM (SELECT ready_at FROM turns
        WHERE ${isReady('turns')}
        LIMIT 100000) AS turn
) AS ready, (
  SELECT count(*)::int AS count, min(dispatched_at) AS oldest
  FROM (SELECT dispatched_at FROM turns WHERE status = 'queued' AND dispatched_at IS NOT NULL LIMIT 100000) AS turn
) AS dispatched, (
  SELECT count(*)::int AS count
  FROM (SELECT 1 FROM turns WHERE status = 'queued' AND available_at IS NOT NULL LIMIT 100000) AS turn
) AS delayed`,
  row: backlogSchema,
};

/**
 * How many turns wait, each kind counted up to 100,000, and for how long the oldest has waited: `ready` turns
 * for a slot of their tenant or of a worker, `dispatched` turns for a worker to claim them, `delayed` turns
 * for their time.
 */
export async function readTurnBacklog(sql: Sql): Promise<TurnBacklog> {
  const [backlog] = await query(sql, BACKLOG, [], LIMIT_MS);
  if (backlog === undefined) throw new Error('A select of aggregates returned no row.');
  return backlog;
}

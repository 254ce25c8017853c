import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const jobSchema = z.object({ turnId: z.string(), epoch: z.int(), jobNumber: z.int() });

/* Longest unchecked first, and checked ones go to the end of the line: no turn is passed over for ever. */
const TAKE_UNCHECKED = {
  name: 'take-unchecked-turns',
  text: `
UPDATE turns SET hinted_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM turns
  WHERE status = 'queued' AND dispatched_at IS NOT NULL
    AND hinted_at < now() - $2::double precision * interval '1 millisecond'
  ORDER BY hinted_at LIMIT $1 FOR UPDATE SKIP LOCKED
))
RETURNING id AS "turnId", epoch, hint AS "jobNumber"`,
  row: jobSchema,
};

/** Up to `limit` jobs that no worker took up and nobody checked for `olderThanMs`. */
export function takeUncheckedTurns(
  sql: Sql,
  settings: { limit: number; olderThanMs: number },
): Promise<z.infer<typeof jobSchema>[]> {
  return query(sql, TAKE_UNCHECKED, [settings.limit, settings.olderThanMs]);
}

const RAISE = {
  name: 'reissue-jobs',
  text: `
UPDATE turns SET hint = turns.hint + 1
FROM unnest($1::text[], $2::int[], $3::int[]) AS lost(id, epoch, hint)
WHERE turns.id = lost.id AND turns.epoch = lost.epoch AND turns.hint = lost.hint
  AND turns.status = 'queued' AND turns.dispatched_at IS NOT NULL
RETURNING turns.id AS "turnId", turns.epoch, turns.hint AS "jobNumber"`,
  row: jobSchema,
};

/** New numbers for jobs that were lost, so that they are new jobs whatever became of the old ones. */
export function reissueJobs(
  sql: Sql,
  jobs: readonly z.infer<typeof jobSchema>[],
): Promise<z.infer<typeof jobSchema>[]> {
  const ids = jobs.map((job) => job.turnId);
  const epochs = jobs.map((job) => job.epoch);
  const numbers = jobs.map((job) => job.jobNumber);
  return query(sql, RAISE, [ids, epochs, numbers]);
}

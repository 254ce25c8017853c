import { parameterRows } from '../database/parameter-rows.ts';
import { query, type Sql } from '../database/sql.ts';
import { dispatchedTurnSchema, type DispatchedTurn } from './dispatch-turns.ts';

/* Those that were not checked for longest come first, so every one is checked in the end. */
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
RETURNING id AS "turnId", epoch, hint AS "jobNumber", queue`,
  row: dispatchedTurnSchema,
};

/** Up to `limit` jobs that no worker has claimed and that were not checked for `olderThanMs`. */
export function takeUncheckedTurns(
  sql: Sql,
  settings: { limit: number; olderThanMs: number },
): Promise<DispatchedTurn[]> {
  return query(sql, TAKE_UNCHECKED, [settings.limit, settings.olderThanMs]);
}

/** A job's new number is in the queue of the old one. */
type LostJob = Omit<DispatchedTurn, 'queue'>;

const LOST = parameterRows<LostJob>('lost', {
  id: ['text', ({ turnId }) => turnId],
  epoch: ['int', ({ epoch }) => epoch],
  number: ['int', ({ jobNumber }) => jobNumber],
});

/* A turn that is locked is changing, so its job is not lost. Waiting for it could deadlock (decision 8). */
const REISSUE = {
  name: 'reissue-jobs',
  text: `
UPDATE turns SET hint = turns.hint + 1
WHERE turns.id = ANY (ARRAY(
  SELECT turns.id FROM ${LOST.from}
  JOIN turns ON turns.id = lost.id AND turns.epoch = lost.epoch AND turns.hint = lost.number
  WHERE turns.status = 'queued' AND turns.dispatched_at IS NOT NULL
  FOR NO KEY UPDATE OF turns SKIP LOCKED
))
RETURNING turns.id AS "turnId", turns.epoch, turns.hint AS "jobNumber", turns.queue`,
  row: dispatchedTurnSchema,
};

/** New numbers for jobs that were lost: a job with a new number is a new job, whatever became of the old one. */
export function reissueJobs(sql: Sql, jobs: readonly LostJob[]): Promise<DispatchedTurn[]> {
  return query(sql, REISSUE, LOST.values(jobs));
}

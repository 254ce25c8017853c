import { z } from 'zod';
import { OPEN_STATUSES } from './open-statuses.ts';
import { query, type Sql } from '../database/sql.ts';
import { isAlive } from '../workers/capability.ts';
import { LIVE_QUEUES } from '../workers/stranded-turns.ts';
import { isReady } from './dispatch-turns.ts';

/*
 * Each column is one look-up in the index that the statement of its stage uses, and has the same condition or a wider
 * one: it may say that there is work where there is none, and never the other way round.
 */
const LOOK = {
  name: 'look-for-work',
  text: `
SELECT
  EXISTS (SELECT 1 FROM turns WHERE leased_until <= now()) AS "expiredLeases",
  EXISTS (SELECT 1 FROM turns WHERE status = 'requires_action' AND action_expires_at <= now()) AS "expiredActions",
  EXISTS (SELECT 1 FROM turns WHERE status IN ('queued', 'requires_action') AND deadline_at <= now()) AS "missedDeadlines",
  EXISTS (SELECT 1 FROM turns WHERE status = 'queued' AND ready_at IS NULL) AS "unreadySessions",
  EXISTS (SELECT 1 FROM turns WHERE status = 'queued' AND available_at <= now()) AS "dueTurns",
  EXISTS (SELECT 1 FROM turns WHERE ${isReady('turns')}) AS "readyTurns",
  EXISTS (SELECT 1 FROM turns WHERE status = 'queued' AND waiting_for IS NOT NULL) AS "turnsWithoutWorker",
  EXISTS (SELECT 1 FROM turns WHERE status = 'queued' AND waits_for_children)
    OR EXISTS (SELECT 1 FROM turns WHERE parent_turn_id IS NOT NULL AND status IN ${OPEN_STATUSES}) AS families,
  EXISTS (SELECT 1 FROM turns WHERE status = 'queued' AND dispatched_at IS NOT NULL
          AND hinted_at < now() - $1::double precision * interval '1 millisecond') AS "uncheckedJobs",
  EXISTS (SELECT 1 FROM outages WHERE probe_at <= now()) AS probes,
  EXISTS (SELECT 1 FROM workers WHERE NOT (${isAlive('workers')})) AS "lateWorkers",
  EXISTS (SELECT 1 FROM ledger_entries WHERE NOT counted) AS spending,
  EXISTS (SELECT 1 FROM idempotency_records WHERE expires_at <= now()) AS "expiredRecords",
  EXISTS (SELECT 1 FROM turns WHERE events_cut = 0
          AND finished_at < now() - $2::double precision * interval '1 day') AS "oldEvents",
  EXISTS (SELECT 1 FROM user_erasures WHERE completed_at IS NULL) AS "userErasures",
  ARRAY(${LIVE_QUEUES}) AS "liveQueues"`,
  row: z.object({
    expiredLeases: z.boolean(),
    expiredActions: z.boolean(),
    missedDeadlines: z.boolean(),
    unreadySessions: z.boolean(),
    dueTurns: z.boolean(),
    readyTurns: z.boolean(),
    turnsWithoutWorker: z.boolean(),
    families: z.boolean(),
    uncheckedJobs: z.boolean(),
    probes: z.boolean(),
    lateWorkers: z.boolean(),
    spending: z.boolean(),
    expiredRecords: z.boolean(),
    oldEvents: z.boolean(),
    userErasures: z.boolean(),
    /** As `listLiveQueues`. */
    liveQueues: z.array(z.string()),
  }),
};
export type WorkFound = z.infer<typeof LOOK.row>;

/**
 * What a pass of the reconciler has to do, in one look. `jobAgeMs`: how old a job is before it is checked.
 * `eventRetentionDays`: null where events are kept.
 */
export async function lookForWork(
  sql: Sql,
  { jobAgeMs, eventRetentionDays }: { jobAgeMs: number; eventRetentionDays: number | null },
): Promise<WorkFound> {
  const [found] = await query(sql, LOOK, [jobAgeMs, eventRetentionDays]);
  if (found === undefined) throw new Error('A statement that returns one row returned none.');
  return found;
}

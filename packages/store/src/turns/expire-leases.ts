import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { closingTurn } from './close-turn.ts';
import { UNCONFIRMED } from './hand-over.ts';
import { json, query, type Sql } from '../database/sql.ts';

const expiredSchema = z.object({
  turnId: z.string(),
  tenantId: z.string(),
  sessionId: z.string(),
  epoch: z.int(),
  status: turnStatusSchema,
});
export type ExpiredLease = z.infer<typeof expiredSchema>;

/*
 * Invariant: a lease ends only by its time, and only once. The epoch stays as it is: the next claim raises
 * it, and until then the status keeps the old worker from writing.
 *
 * The turn is queued again; after $2 dead workers it fails instead, since the turn itself may kill them. A
 * turn that was asked to cancel is cancelled here, since its worker cannot confirm any more. A pass skips
 * turns and sessions that are locked. The sort makes sure that all rows are locked before the first turn is
 * ended.
 *
 * A locked row has an expired lease in the statement's snapshot and in its newest version, so it may be
 * written in this statement (decision 8).
 */
const EXPIRE = {
  name: 'expire-leases',
  text: `
WITH locked AS MATERIALIZED (
  SELECT turns.id, turns.tenant_id, turns.session_id, turns.epoch, turns.status, turns.lost_leases
  FROM turns JOIN sessions ON sessions.id = turns.session_id
  WHERE turns.leased_until <= now() ORDER BY turns.leased_until LIMIT $1
  FOR UPDATE OF turns SKIP LOCKED FOR NO KEY UPDATE OF sessions SKIP LOCKED
), expired AS MATERIALIZED (
  SELECT id, tenant_id, session_id, epoch,
    CASE WHEN status = 'cancelling' THEN 'cancelled' WHEN lost_leases + 1 >= $2 THEN 'failed' ELSE 'queued' END AS status
  FROM locked ORDER BY session_id, id
), requeued AS (
  UPDATE turns SET status = 'queued', lost_leases = lost_leases + 1, leased_until = NULL, dispatched_at = NULL,
    attempts = attempts - (lost_leases = ${UNCONFIRMED})::int
  FROM expired WHERE turns.id = expired.id AND expired.status = 'queued'
)
SELECT id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId", epoch, status,
  ${closingTurn({ when: "status <> 'queued'", error: "CASE WHEN status = 'failed' THEN $3::jsonb END" })}
FROM expired`,
  row: expiredSchema,
};

/** Ends up to `limit` leases that have expired, and returns the new status of each turn. */
export function expireLeases(
  sql: Sql,
  settings: { limit: number; maxLostLeases: number },
): Promise<ExpiredLease[]> {
  const error = {
    code: 'max_attempts',
    message: `The turn was given up after ${settings.maxLostLeases} workers that ran it died.`,
    retry_status: 'exhausted',
    request_id: null,
  };
  const values = [settings.limit, settings.maxLostLeases, json(error)];
  return query(sql, EXPIRE, values);
}

import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { closingTurn } from './close-turn.ts';
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
 * Invariant: a lease is ended by its time and by nothing else, and ends once. The epoch is left
 * alone: the next claim raises it, and until then the status keeps the old holder from writing.
 *
 * A turn goes back to its queue; after $2 dead workers it fails instead, since whatever killed
 * them may be the turn itself. One that was asked to cancel has nobody left to confirm it, so
 * it is confirmed here. A pass waits for nobody, neither for a turn nor for the session that an end changes;
 * all are locked before the first is ended, which the sort is for.
 *
 * What is locked has an ended lease in the statement's snapshot and in its newest version, so it is held in
 * both, and may be written in this statement (decision 8).
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
  UPDATE turns SET status = 'queued', lost_leases = lost_leases + 1, leased_until = NULL, dispatched_at = NULL
  FROM expired WHERE turns.id = expired.id AND expired.status = 'queued'
)
SELECT id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId", epoch, status,
  ${closingTurn({ when: "status <> 'queued'", error: "CASE WHEN status = 'failed' THEN $3::jsonb END" })}
FROM expired`,
  row: expiredSchema,
};

/** Ends up to `limit` leases whose time has passed, and says where each turn is now. */
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

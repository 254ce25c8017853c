import { newId, turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from './sql.ts';

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
 * it is confirmed here.
 */
const EXPIRE = {
  name: 'expire-leases',
  text: `
WITH expired AS (
  SELECT id, status AS was, lost_leases + 1 >= $2 AS poison FROM turns
  WHERE leased_until <= now() ORDER BY leased_until LIMIT $1
  FOR UPDATE SKIP LOCKED
), ended AS (
  UPDATE turns
  SET status = CASE WHEN expired.was = 'cancelling' THEN 'cancelled' WHEN expired.poison THEN 'failed' ELSE 'queued' END,
      lost_leases = turns.lost_leases + 1,
      leased_until = NULL,
      dispatched_at = NULL,
      error = CASE WHEN expired.was <> 'cancelling' AND expired.poison THEN $3::jsonb END,
      finished_at = CASE WHEN expired.was = 'cancelling' OR expired.poison THEN now() END,
      event_count = turns.event_count + (expired.was = 'cancelling' OR expired.poison)::int
  FROM expired WHERE turns.id = expired.id
  RETURNING turns.*
), session AS (
  UPDATE sessions SET open_turns = sessions.open_turns - 1
  FROM ended WHERE sessions.id = ended.session_id AND ended.status <> 'queued'
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT ended.id, ended.event_count, ($4::text[])[(row_number() OVER ())::int], ended.tenant_id, 'turn.' || ended.status, '{}'
  FROM ended WHERE ended.status <> 'queued'
)
SELECT id AS "turnId", tenant_id AS "tenantId", session_id AS "sessionId", epoch, status FROM ended`,
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
  const eventIds = Array.from({ length: settings.limit }, () => newId('event'));
  return query(sql, EXPIRE, [settings.limit, settings.maxLostLeases, json(error), eventIds]);
}

import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES } from '../turns/open-statuses.ts';

const turnLogSchema = z.object({
  sessionId: z.string(),
  turnSequence: z.int(),
  status: turnStatusSchema,
  /** The number of the newest event. */
  eventCount: z.int(),
  /** Events up to this number were pruned. */
  eventsCut: z.int(),
});
export type TurnLog = z.infer<typeof turnLogSchema>;

const TURN = {
  name: 'find-turn-log',
  text: `
SELECT session_id AS "sessionId", sequence AS "turnSequence", status, event_count AS "eventCount", events_cut AS "eventsCut"
FROM turns WHERE tenant_id = $1 AND id = $2`,
  row: turnLogSchema,
};

/** The range of a turn's events. Null if the tenant has no such turn. */
export async function findTurnLog(sql: Sql, tenantId: string, turnId: string): Promise<TurnLog | null> {
  const [log] = await query(sql, TURN, [tenantId, turnId]);
  return log ?? null;
}

const sessionLogSchema = z.object({
  /** The newest turn's sequence number; 0 if there is none. */
  lastSequence: z.int(),
  /** The turn at the requested position; null if there is none. */
  turnId: z.string().nullable(),
  /** How many events the turn at the requested position has; null if there is no such turn. */
  eventCount: z.int().nullable(),
  /** Events up to this position were pruned. */
  cutTurn: z.int(),
  cutEvent: z.int(),
});
export type SessionLog = z.infer<typeof sessionLogSchema>;

const SESSION = {
  name: 'find-session-log',
  text: `
SELECT sessions.last_sequence AS "lastSequence", place.id AS "turnId", place.event_count AS "eventCount",
  coalesce(cut.sequence, 0) AS "cutTurn", coalesce(cut.events_cut, 0) AS "cutEvent"
FROM sessions
LEFT JOIN turns AS place ON place.session_id = sessions.id AND place.sequence = $3
LEFT JOIN LATERAL (
  SELECT sequence, events_cut FROM turns WHERE session_id = sessions.id AND events_cut > 0
  ORDER BY sequence DESC LIMIT 1
) AS cut ON true
WHERE sessions.tenant_id = $1 AND sessions.id = $2`,
  row: sessionLogSchema,
};

const PLACE = {
  name: 'find-session-place',
  text: `
SELECT turns.id AS "turnId", turns.sequence AS "turnSequence", turns.event_count AS "eventCount"
FROM turns
WHERE turns.tenant_id = $1 AND turns.session_id = $2 AND turns.sequence <= coalesce((
  SELECT min(open.sequence) FROM turns AS open
  WHERE open.session_id = $2 AND open.status IN ${OPEN_STATUSES}), 2147483647)
ORDER BY turns.sequence DESC LIMIT 1`,
  row: z.object({ turnId: z.string(), turnSequence: z.int(), eventCount: z.int() }),
};

/**
 * The turn up to which the events of a session are shown: the first one that has not ended, else the newest one. Null
 * if the session has no turn, or the tenant no such session.
 */
export async function findSessionPlace(
  sql: Sql,
  tenantId: string,
  sessionId: string,
): Promise<z.infer<typeof PLACE.row> | null> {
  const [place] = await query(sql, PLACE, [tenantId, sessionId]);
  return place ?? null;
}

/**
 * As `findTurnLog`, for a session and the turn at a position in it. Null if the tenant has no such session.
 */
export async function findSessionLog(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  turnSequence: number,
): Promise<SessionLog | null> {
  const [log] = await query(sql, SESSION, [tenantId, sessionId, turnSequence]);
  return log ?? null;
}

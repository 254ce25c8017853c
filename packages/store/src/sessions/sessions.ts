import type { Metadata, Session, UpdateSession } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { inRange, labelValues, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { lockSession } from './lock-session.ts';
import { SESSION_COLUMNS, sessionRow } from './stored-session.ts';

const INSERT = {
  name: 'insert-session',
  text: `
WITH room AS MATERIALIZED (
  SELECT sessions, coalesce(sessions >= $5::int, false) AS full
  FROM (SELECT CASE WHEN $5::int IS NOT NULL THEN turnpike_count_sessions($2, $5) END AS sessions) AS counted
), session AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, budget_micros, user_id)
  SELECT $1, $2, agents.id, $4::jsonb, $6, $7 FROM agents, room
  WHERE agents.id = $3 AND agents.tenant_id = $2 AND agents.deleted_at IS NULL AND NOT room.full
  RETURNING created_at
)
SELECT session.created_at AS "createdAt", room.sessions, room.full FROM room LEFT JOIN session ON true`,
  row: z.object({ createdAt: z.date().nullable(), sessions: z.int().nullable(), full: z.boolean() }),
};

export interface NewSession {
  id: string;
  tenantId: string;
  agentId: string;
  metadata: Metadata;
  budgetMicros?: number | null;
  userId?: string | null;
  /** The most sessions that its tenant may have. Left out if the caller knows that there is capacity. */
  mostSessions?: number | null;
}

/**
 * Stores a session. Without one in the result, the tenant has no such agent, or (`full`) too many sessions.
 * `sessions` is the number counted before, null if none was counted.
 */
export async function insertSession(
  sql: Sql,
  { id, tenantId, agentId, metadata, budgetMicros = null, userId = null, mostSessions = null }: NewSession,
): Promise<{ session: Session | null; full: boolean; sessions: number | null }> {
  const values = [id, tenantId, agentId, json(metadata), mostSessions, budgetMicros, userId];
  const [answer] = await query(sql, INSERT, values);
  if (answer === undefined) throw new Error('A count returned no row.');
  const { createdAt, full, sessions } = answer;
  const session =
    createdAt &&
    sessionRow.parse({
      id,
      agentId,
      metadata,
      userId,
      lastSequence: 0,
      budgetMicros,
      parentSessionId: null,
      forkedFrom: null,
      forkedTurnId: null,
      forkedStep: null,
      rerunOf: null,
      createdAt,
    });
  return { session, full, sessions };
}

const UPDATE = {
  name: 'update-session',
  text: `
UPDATE sessions
SET metadata = coalesce($3::jsonb, metadata), budget_micros = CASE WHEN $4 THEN $5 ELSE budget_micros END
WHERE id = $1 AND tenant_id = $2 RETURNING ${SESSION_COLUMNS}`,
  row: sessionRow,
};

/** Changes the given fields. Null if there is no such session. */
export async function updateSession(
  sql: Sql,
  session: { id: string; tenantId: string },
  change: UpdateSession,
): Promise<Session | null> {
  const { metadata, budget_micros: budget } = change;
  const given = metadata === undefined ? null : json(metadata);
  const values = [session.id, session.tenantId, given, budget !== undefined, budget ?? null];
  const [updated] = await query(sql, UPDATE, values);
  return updated ?? null;
}

const DELETE = {
  name: 'delete-session',
  text: `DELETE FROM sessions WHERE id = $1 AND tenant_id = $2 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Erases a session with its turns, messages, steps and events. A worker that runs one of its turns loses its
 * lease. False if there is no such session.
 */
export async function deleteSession(sql: Sql, tenantId: string, sessionId: string): Promise<boolean> {
  const deleted = await query(sql, DELETE, [sessionId, tenantId]);
  return deleted.length > 0;
}

const EXISTS = {
  name: 'session-exists',
  text: `SELECT id FROM sessions WHERE id = $1 AND tenant_id = $2`,
  row: z.object({ id: z.string() }),
};

export async function sessionExists(sql: Sql, tenantId: string, sessionId: string): Promise<boolean> {
  const found = await query(sql, EXISTS, [sessionId, tenantId]);
  return found.length > 0;
}

const READ = {
  name: 'read-session',
  text: `SELECT ${SESSION_COLUMNS} FROM sessions WHERE id = $1 AND tenant_id = $2`,
  row: sessionRow,
};

/** Null if the session does not exist or belongs to another tenant. */
export async function readSession(
  { pool }: Pick<Database, 'pool'>,
  tenantId: string,
  sessionId: string,
): Promise<Session | null> {
  const [session] = await query(pool, READ, [sessionId, tenantId]);
  return session ?? null;
}

/** As `readSession`, and locked until the transaction ends: nobody else changes it. */
export async function readLockedSession(
  sql: Sql,
  tenantId: string,
  sessionId: string,
): Promise<Session | null> {
  if (!(await lockSession(sql, tenantId, sessionId))) return null;
  // A separate statement, so it sees what was committed while this one waited for the lock.
  const [session] = await query(sql, READ, [sessionId, tenantId]);
  return session ?? null;
}

export interface SessionFilter extends TimeRange {
  agentId?: string | undefined;
  /** Only forks of this session. */
  forkedFrom?: string | undefined;
  userId?: string | undefined;
  /** Must have all of these entries. */
  metadata?: Metadata | undefined;
  /** Must not have an entry with this key. */
  withoutLabel?: string | undefined;
}

const LIST = {
  name: 'list-sessions',
  text: `
SELECT ${SESSION_COLUMNS} FROM sessions
WHERE sessions.tenant_id = $1 AND ${inRange('sessions')} AND ($7::text IS NULL OR sessions.agent_id = $7)
  AND ($8::text IS NULL OR sessions.forked_from = $8) AND ($9::text IS NULL OR sessions.metadata -> $9 IS NULL)
  AND ($10::text IS NULL OR sessions.user_id = $10)
ORDER BY sessions.id DESC LIMIT $6`,
  row: sessionRow,
};

const LIST_LABELLED = {
  name: 'list-sessions-labelled',
  text: `
SELECT ${SESSION_COLUMNS} FROM session_labels JOIN sessions ON sessions.id = session_labels.session_id
WHERE session_labels.tenant_id = $1 AND session_labels.key = $11 AND session_labels.value = $12
  AND ${inRange('sessions', 'session_labels.session_id')} AND ($7::text IS NULL OR sessions.agent_id = $7)
  AND ($8::text IS NULL OR sessions.forked_from = $8) AND ($9::text IS NULL OR sessions.metadata -> $9 IS NULL)
  AND ($10::text IS NULL OR sessions.user_id = $10) AND sessions.metadata @> $13::jsonb
ORDER BY session_labels.session_id DESC LIMIT $6`,
  row: sessionRow,
};

/** A tenant's sessions, newest first, those after the cursor. */
export function listSessions(
  sql: Sql,
  tenantId: string,
  page: ListPage,
  filter: SessionFilter,
): Promise<Session[]> {
  const values = [
    tenantId,
    ...rangeValues('session', page, filter),
    filter.agentId ?? null,
    filter.forkedFrom ?? null,
    filter.withoutLabel ?? null,
    filter.userId ?? null,
  ];
  const label = labelValues(filter.metadata);
  return label === null ? query(sql, LIST, values) : query(sql, LIST_LABELLED, [...values, ...label]);
}

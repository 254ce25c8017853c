import {
  catchUpSchema,
  metadataSchema,
  overlapSchema,
  scheduleStatusSchema,
  sessionPolicySchema,
  type PutSchedule,
  type Schedule,
  type ScheduledTurn,
  type ScheduleStatus,
  type Timing,
} from '@turnpike/contract';
import { z } from 'zod';
import { inRange, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { json, query, type Sql } from '../database/sql.ts';

/** Those that count under the limit of a tenant, for SQL. */
export const LIVE_SCHEDULE = `('active', 'paused')`;
const SHOWN = `schedules.status <> 'deleting'`;

const COLUMNS = `schedules.id, schedules.status, schedules.name, schedules.timing, schedules.turn, schedules.session,
  schedules.session_id AS "sessionId", schedules.overlap, schedules.catch_up AS "catchUp",
  schedules.catch_up_seconds AS "catchUpSeconds", schedules.jitter_seconds AS "jitterSeconds",
  schedules.starts_at AS "startsAt", schedules.ends_at AS "endsAt", schedules.metadata,
  schedules.next_tick_at AS "nextTickAt", schedules.next_due_at AS "nextDueAt",
  schedules.last_tick_at AS "lastTickAt", schedules.created_at AS "createdAt", schedules.updated_at AS "updatedAt"`;

/** As it was accepted: a schedule of another version is still shown. */
const asAccepted = <Shape>() => z.custom<Shape>((value) => typeof value === 'object' && value !== null);

const shown = (time: Date | null): string | null => time?.toISOString() ?? null;

const scheduleRow = z
  .object({
    id: z.string(),
    status: scheduleStatusSchema,
    name: z.string().nullable(),
    timing: asAccepted<Timing>(),
    turn: asAccepted<ScheduledTurn>(),
    session: sessionPolicySchema,
    sessionId: z.string().nullable(),
    overlap: overlapSchema,
    catchUp: catchUpSchema,
    catchUpSeconds: z.int(),
    jitterSeconds: z.int(),
    startsAt: z.date().nullable(),
    endsAt: z.date().nullable(),
    metadata: metadataSchema,
    nextTickAt: z.date().nullable(),
    nextDueAt: z.date().nullable(),
    lastTickAt: z.date().nullable(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .transform((row): Schedule => ({
    id: row.id,
    object: 'schedule',
    status: row.status,
    name: row.name,
    timing: row.timing,
    turn: row.turn,
    session: row.session,
    session_id: row.sessionId,
    overlap: row.overlap,
    catch_up: row.catchUp,
    catch_up_seconds: row.catchUpSeconds,
    jitter_seconds: row.jitterSeconds,
    starts_at: shown(row.startsAt),
    ends_at: shown(row.endsAt),
    metadata: row.metadata,
    next_tick_at: shown(row.nextTickAt),
    next_due_at: shown(row.nextDueAt),
    last_tick_at: shown(row.lastTickAt),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }));

/** A tick, and when it runs. */
export interface Due {
  tickAt: Date;
  dueAt: Date;
}

/** What a client asks for, and the tick that comes first. */
export interface ScheduleChange {
  tenantId: string;
  id: string;
  asked: PutSchedule;
  next: Due;
  /** The time by which `next` was found: that of the schedule's creation, if it is new. */
  now: Date;
}

const values = ({ tenantId, id, asked, next, now }: ScheduleChange): unknown[] => [
  tenantId,
  id,
  asked.name ?? null,
  json(asked.timing),
  json(asked.turn),
  asked.session,
  asked.session_id ?? null,
  asked.overlap,
  asked.catch_up,
  asked.catch_up_seconds,
  asked.jitter_seconds,
  asked.starts_at ?? null,
  asked.ends_at ?? null,
  json(asked.metadata ?? {}),
  next.tickAt,
  next.dueAt,
  now,
];

const INSERT = {
  name: 'insert-schedule',
  text: `
INSERT INTO schedules (tenant_id, id, name, timing, turn, session, session_id, owns_session, overlap, catch_up,
                       catch_up_seconds, jitter_seconds, starts_at, ends_at, metadata, next_tick_at, next_due_at,
                       created_at, updated_at)
VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6, $7::text, $7::text IS NULL, $8, $9, $10, $11, $12::timestamptz,
        $13::timestamptz, $14::jsonb, $15::timestamptz, $16::timestamptz, $17::timestamptz, $17::timestamptz)
RETURNING ${COLUMNS}`,
  row: scheduleRow,
};

export async function insertSchedule(sql: Sql, change: ScheduleChange): Promise<Schedule> {
  const [schedule] = await query(sql, INSERT, values(change));
  if (schedule === undefined) throw new Error('A schedule was not inserted.');
  return schedule;
}

/*
 * One that has ended begins anew; one that is paused stays so. The session of its turns stays while they are those of one
 * agent.
 */
const UPDATE = {
  name: 'update-schedule',
  text: `
UPDATE schedules SET name = $3, timing = $4::jsonb, turn = $5::jsonb, session = $6,
  session_id = coalesce($7::text, CASE WHEN $6 = 'one' AND owns_session AND turn->>'agent_id' = $5::jsonb->>'agent_id'
                                  THEN session_id END),
  owns_session = $7::text IS NULL, overlap = $8, catch_up = $9, catch_up_seconds = $10, jitter_seconds = $11,
  starts_at = $12::timestamptz, ends_at = $13::timestamptz, metadata = $14::jsonb, updated_at = $17::timestamptz,
  status = CASE status WHEN 'paused' THEN 'paused' ELSE 'active' END,
  next_tick_at = CASE WHEN status <> 'paused' THEN $15::timestamptz END,
  next_due_at = CASE WHEN status <> 'paused' THEN $16::timestamptz END
WHERE tenant_id = $1 AND id = $2 AND ${SHOWN}
RETURNING ${COLUMNS}`,
  row: scheduleRow,
};

/** Null if there is no such schedule. */
export async function updateSchedule(sql: Sql, change: ScheduleChange): Promise<Schedule | null> {
  const [schedule] = await query(sql, UPDATE, values(change));
  return schedule ?? null;
}

const READ = {
  name: 'read-schedule',
  text: `SELECT ${COLUMNS} FROM schedules WHERE tenant_id = $1 AND id = $2 AND ${SHOWN}`,
  row: scheduleRow,
};

/** Null if it does not exist, or belongs to another tenant. */
export async function readSchedule(sql: Sql, tenantId: string, id: string): Promise<Schedule | null> {
  const [schedule] = await query(sql, READ, [tenantId, id]);
  return schedule ?? null;
}

/* The clock is read once the row is locked, and not before it was waited for. */
const LOCK = {
  name: 'lock-schedule',
  text: `
WITH locked AS MATERIALIZED (
  SELECT ${COLUMNS} FROM schedules WHERE tenant_id = $1 AND id = $2 AND ${SHOWN} FOR NO KEY UPDATE
)
SELECT locked.*, clock_timestamp() AS now FROM locked`,
  row: z
    .looseObject({ now: z.date() })
    .transform(({ now, ...row }) => ({ schedule: scheduleRow.parse(row), now })),
};

/**
 * As `readSchedule`, with the time: until the transaction of `sql` ends, no tick of it runs, and nobody changes it. So a
 * next tick that is found by that time is none that has run.
 */
export async function lockSchedule(
  sql: Sql,
  tenantId: string,
  id: string,
): Promise<{ schedule: Schedule; now: Date } | null> {
  const [locked] = await query(sql, LOCK, [tenantId, id]);
  return locked ?? null;
}

const LIST = {
  name: 'list-schedules',
  text: `
SELECT ${COLUMNS} FROM schedules
WHERE schedules.tenant_id = $1 AND ${inRange('schedules')} AND ${SHOWN}
  AND ($7::text[] IS NULL OR schedules.status = ANY ($7))
ORDER BY schedules.id DESC LIMIT $6`,
  row: scheduleRow,
};

/** A tenant's schedules, newest first, those after the cursor. */
export function listSchedules(
  sql: Sql,
  tenantId: string,
  page: ListPage,
  filter: TimeRange & { status?: readonly ScheduleStatus[] | undefined },
): Promise<Schedule[]> {
  return query(sql, LIST, [tenantId, ...rangeValues('schedule', page, filter), filter.status ?? null]);
}

const PAUSE = {
  name: 'pause-schedule',
  text: `
UPDATE schedules SET status = 'paused', next_tick_at = NULL, next_due_at = NULL, updated_at = now()
WHERE tenant_id = $1 AND id = $2 AND status = 'active' RETURNING ${COLUMNS}`,
  row: scheduleRow,
};

/** From now on it has no ticks. Null where it was not active, or is not there. */
export async function pauseSchedule(sql: Sql, tenantId: string, id: string): Promise<Schedule | null> {
  const [schedule] = await query(sql, PAUSE, [tenantId, id]);
  return schedule ?? null;
}

const RESUME = {
  name: 'resume-schedule',
  text: `
UPDATE schedules SET status = CASE WHEN $3::timestamptz IS NULL THEN 'ended' ELSE 'active' END,
  next_tick_at = $3::timestamptz, next_due_at = $4::timestamptz, updated_at = now()
WHERE tenant_id = $1 AND id = $2 AND status = 'paused' RETURNING ${COLUMNS}`,
  row: scheduleRow,
};

/** It goes on with this tick; without one it has ended. Null where it was not paused, or is not there. */
export async function resumeSchedule(
  sql: Sql,
  tenantId: string,
  id: string,
  next: Due | null,
): Promise<Schedule | null> {
  const [schedule] = await query(sql, RESUME, [tenantId, id, next?.tickAt ?? null, next?.dueAt ?? null]);
  return schedule ?? null;
}

const idSchema = z.object({ id: z.string() });

const DELETE = {
  name: 'delete-schedule',
  text: `
UPDATE schedules SET status = 'deleting' WHERE tenant_id = $1 AND id = $2 AND ${SHOWN} RETURNING id`,
  row: idSchema,
};

/** From now on nobody sees it, and it has no ticks; a pass removes its rows. False where it is not there. */
export async function deleteSchedule(sql: Sql, tenantId: string, id: string): Promise<boolean> {
  return (await query(sql, DELETE, [tenantId, id])).length > 0;
}

const RUNS = 5_000;

/* A schedule of every second has millions of runs, which are no single statement. It goes with its last. */
const REMOVE = {
  name: 'remove-schedules',
  text: `
WITH removed AS MATERIALIZED (
  SELECT id, tenant_id FROM schedules WHERE status = 'deleting' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
), runs AS (
  DELETE FROM schedule_runs WHERE id IN (
    SELECT runs.id FROM schedule_runs AS runs JOIN removed
      ON runs.tenant_id = removed.tenant_id AND runs.schedule_id = removed.id LIMIT ${RUNS})
  RETURNING 1
)
SELECT removed.id, (SELECT count(*)::int FROM runs) AS runs FROM removed`,
  row: z.object({ id: z.string(), runs: z.int() }),
};

const REMOVE_EMPTY = {
  name: 'remove-empty-schedule',
  text: `DELETE FROM schedules WHERE id = $1 AND status = 'deleting' RETURNING id`,
  row: idSchema,
};

/** Removes runs of one deleted schedule, and with the last of them the schedule. False: there is none. */
export async function removeScheduleRuns(sql: Sql): Promise<boolean> {
  const [removed] = await query(sql, REMOVE, []);
  if (removed === undefined) return false;
  if (removed.runs < RUNS) await query(sql, REMOVE_EMPTY, [removed.id]);
  return true;
}

import { newId, turnStatusSchema, type RunStatus } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';
import type { Due } from './schedules.ts';

const CLOCK = {
  name: 'read-clock-of-schedules',
  text: `SELECT now() AS now`,
  row: z.object({ now: z.date() }),
};

/** The time by which ticks are due: the database's, which all processes share. */
export async function readClock(sql: Sql): Promise<Date> {
  const [clock] = await query(sql, CLOCK, []);
  if (clock === undefined) throw new Error('The clock returned no row.');
  return clock.now;
}

/*
 * What a process has seen of a schedule may be old once it has its row: the conditions are tried again on the newest
 * version (decision 8), so a tick that another process has just run is due no longer.
 */
const LOCK = {
  name: 'lock-due-schedule',
  text: `
SELECT id, tenant_id AS "tenantId", timing, turn, session, session_id AS "sessionId", owns_session AS "ownsSession",
  overlap, catch_up AS "catchUp", catch_up_seconds AS "catchUpSeconds", jitter_seconds AS "jitterSeconds",
  starts_at AS "startsAt", ends_at AS "endsAt", created_at AS "createdAt", next_tick_at AS "tickAt",
  next_due_at AS "dueAt", coalesce($1::timestamptz, now()) AS now
FROM schedules
WHERE status = 'active' AND next_due_at <= coalesce($1::timestamptz, now()) AND id <> ALL ($2::text[])
ORDER BY next_due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`,
  row: z.object({
    id: z.string(),
    tenantId: z.string(),
    // The caller reads them, once it has the id: what another version wrote there must not stop other schedules.
    timing: z.unknown(),
    turn: z.unknown(),
    session: z.string(),
    sessionId: z.string().nullable(),
    ownsSession: z.boolean(),
    overlap: z.string(),
    catchUp: z.string(),
    catchUpSeconds: z.int(),
    jitterSeconds: z.int(),
    startsAt: z.date().nullable(),
    endsAt: z.date().nullable(),
    createdAt: z.date(),
    tickAt: z.date(),
    dueAt: z.date(),
    /** The time by which its tick is due. */
    now: z.date(),
  }),
};
export type DueSchedule = z.infer<typeof LOCK.row>;

/** The schedule whose tick is due the longest, except `left`; locked until the transaction ends. `now` null: the database's. */
export async function lockDueSchedule(
  sql: Sql,
  { now, left }: { now: Date | null; left: readonly string[] },
): Promise<DueSchedule | null> {
  const [schedule] = await query(sql, LOCK, [now, left]);
  return schedule ?? null;
}

const UNTIL_DUE = {
  name: 'read-time-until-due',
  text: `
SELECT (extract(epoch FROM next_due_at - clock_timestamp()) * 1000)::double precision AS ms FROM schedules
WHERE status = 'active' AND next_due_at IS NOT NULL AND id <> ALL ($1::text[]) ORDER BY next_due_at LIMIT 1`,
  row: z.object({ ms: z.number() }),
};

/** Milliseconds until the next tick of any schedule, except `left`; null: there is none. */
export async function readTimeUntilDue(sql: Sql, left: readonly string[]): Promise<number | null> {
  const [due] = await query(sql, UNTIL_DUE, [left]);
  return due?.ms ?? null;
}

/** Runs of a schedule that are looked at for their turns. */
const OPEN_RUNS = 100;

const SETTLE = {
  name: 'settle-schedule-runs',
  text: `
WITH open AS MATERIALIZED (
  SELECT runs.id, runs.turn_id AS "turnId", turns.status FROM schedule_runs AS runs
  LEFT JOIN turns ON turns.id = runs.turn_id AND turns.finished_at IS NULL
  WHERE runs.schedule_id = $1 AND runs.is_open ORDER BY runs.tick_at LIMIT ${OPEN_RUNS}
), settled AS (
  UPDATE schedule_runs SET is_open = false WHERE id IN (SELECT id FROM open WHERE status IS NULL)
)
SELECT "turnId", status FROM open WHERE status IS NOT NULL`,
  row: z.object({ turnId: z.string(), status: turnStatusSchema }),
};
export type OpenRun = z.infer<typeof SETTLE.row>;

/** The turns of a locked schedule that have not ended, those of the oldest ticks. */
export function settleScheduleRuns(sql: Sql, scheduleId: string): Promise<OpenRun[]> {
  return query(sql, SETTLE, [scheduleId]);
}

/** What became of a tick. */
export interface NewRun {
  tenantId: string;
  scheduleId: string;
  tickAt: Date;
  dueAt: Date;
  status: RunStatus;
  turnId?: string;
  error?: { code: string; message: string };
  /** Of ticks that were missed together. */
  until?: Date;
  ticks?: number;
}

/*
 * Invariant: a tick has one run, and a turn only with it, in one commit: whatever dies, and whatever two processes believe
 * of the time, the unique index refuses a second one.
 */
const RECORD = {
  name: 'record-schedule-run',
  text: `
INSERT INTO schedule_runs (id, tenant_id, schedule_id, tick_at, due_at, status, turn_id, is_open, error, until, ticks)
VALUES ($1, $2, $3, $4, $5, $6, $7::text, $7::text IS NOT NULL, $8::jsonb, $9, $10)
ON CONFLICT (schedule_id, tick_at) DO NOTHING RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** False where the tick has a run: whatever was written for it must be undone. */
export async function recordScheduleRun(sql: Sql, run: NewRun): Promise<boolean> {
  const recorded = await query(sql, RECORD, [
    newId('scheduleRun'),
    run.tenantId,
    run.scheduleId,
    run.tickAt,
    run.dueAt,
    run.status,
    run.turnId ?? null,
    run.error === undefined ? null : json(run.error),
    run.until ?? null,
    run.ticks ?? 1,
  ]);
  return recorded.length > 0;
}

const ADVANCE = {
  name: 'advance-schedule',
  text: `
UPDATE schedules SET last_tick_at = $2, next_tick_at = $3::timestamptz, next_due_at = $4::timestamptz,
  session_id = CASE WHEN session = 'one' THEN coalesce($5, session_id) END,
  status = CASE WHEN $3::timestamptz IS NULL THEN 'ended' ELSE status END
WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Of a locked schedule: the tick is done, and this one is next; null: it has ended. */
export async function advanceSchedule(
  sql: Sql,
  { id, tickAt, next, sessionId }: { id: string; tickAt: Date; next: Due | null; sessionId: string | null },
): Promise<void> {
  await query(sql, ADVANCE, [id, tickAt, next?.tickAt ?? null, next?.dueAt ?? null, sessionId]);
}

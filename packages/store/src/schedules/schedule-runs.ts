import { runStatusSchema, turnStatusSchema, type RunStatus, type ScheduleRun } from '@turnpike/contract';
import { z } from 'zod';
import { inRange, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { query, type Sql } from '../database/sql.ts';

const runRow = z
  .object({
    id: z.string(),
    scheduleId: z.string(),
    tickAt: z.date(),
    until: z.date().nullable(),
    ticks: z.int(),
    dueAt: z.date(),
    status: runStatusSchema,
    turnId: z.string().nullable(),
    turnStatus: turnStatusSchema.nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    createdAt: z.date(),
  })
  .transform((row): ScheduleRun => ({
    id: row.id,
    object: 'schedule_run',
    schedule_id: row.scheduleId,
    tick_at: row.tickAt.toISOString(),
    until: row.until?.toISOString() ?? null,
    ticks: row.ticks,
    due_at: row.dueAt.toISOString(),
    status: row.status,
    turn_id: row.turnId,
    turn_status: row.turnStatus,
    error: row.error,
    created_at: row.createdAt.toISOString(),
  }));

const LIST = {
  name: 'list-schedule-runs',
  text: `
SELECT runs.id, runs.schedule_id AS "scheduleId", runs.tick_at AS "tickAt", runs.until, runs.ticks,
  runs.due_at AS "dueAt", runs.status, runs.turn_id AS "turnId", turns.status AS "turnStatus", runs.error,
  runs.created_at AS "createdAt"
FROM schedule_runs AS runs LEFT JOIN turns ON turns.id = runs.turn_id AND turns.tenant_id = runs.tenant_id
WHERE runs.tenant_id = $1 AND runs.schedule_id = $7 AND ${inRange('runs')}
  AND ($8::text[] IS NULL OR runs.status = ANY ($8))
ORDER BY runs.id DESC LIMIT $6`,
  row: runRow,
};

/** What became of a schedule's ticks, newest first, those after the cursor. */
export function listScheduleRuns(
  sql: Sql,
  tenantId: string,
  page: ListPage,
  filter: TimeRange & { scheduleId: string; status?: readonly RunStatus[] | undefined },
): Promise<ScheduleRun[]> {
  const { scheduleId, status = null } = filter;
  return query(sql, LIST, [tenantId, ...rangeValues('scheduleRun', page, filter), scheduleId, status]);
}

import {
  idSchema,
  newId,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  putScheduleSchema,
  runStatusSchema,
  scheduleForecastSchema,
  scheduleRunSchema,
  scheduleSchema,
  scheduleStatusSchema,
  type ProblemCode,
  type Schedule,
  type ScheduleRun,
} from '@turnpike/contract';
import {
  deleteSchedule,
  insertSchedule,
  listScheduleRuns,
  listSchedules,
  lockSchedule,
  pauseSchedule,
  readClock,
  readSchedule,
  resumeSchedule,
  updateSchedule,
  type Sql,
} from '@turnpike/store';
import { z } from 'zod';
import { checkCount } from '../check-count.ts';
import { checkSchedule, firstTick, ticksAfter, type Ticks } from '../check-schedule.ts';
import { pageOf } from '../cursor.ts';
import { anyOf, timeFilters, timesOf } from '../list-filters.ts';
import { defineRoute, located, type Route } from '../route.ts';

const params = z.object({ schedule_id: idSchema('schedule') });
const none = z.object({});
const MOST_FORECAST = 100;
/** Of what a schedule may be refused for when it is stored. */
const PUT_PROBLEMS: readonly ProblemCode[] = ['not_found', 'override_not_allowed', 'metadata_too_large'];

const one = { status: 200, description: 'The schedule.', schema: scheduleSchema };

export const scheduleRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/schedules',
    operationId: 'createSchedule',
    summary: 'Submit a turn at times: by cron, at intervals, or once',
    tag: 'Schedules',
    scope: 'schedules:write',
    audit: 'schedule.created',
    params: none,
    query: none,
    body: putScheduleSchema,
    response: {
      status: 201,
      description: 'The schedule. It has its first tick at `next_tick_at`.',
      schema: scheduleSchema,
      headers: located,
    },
    problems: [...PUT_PROBLEMS, 'schedule_limit'],
    async handle(call, services) {
      const { tenantId, limits, body, sql } = call;
      await checkCount(sql, { tenantId, limits }, 'schedules');
      const asked = await checkSchedule(call, services, body);
      const id = newId('schedule');
      const now = await readClock(sql);
      const next = firstTick({ ...asked, id, created_at: now }, now);
      const schedule = await insertSchedule(sql, { tenantId, id, asked, next, now });
      return {
        status: 201,
        headers: { Location: `/v1/schedules/${id}` },
        body: schedule,
        audited: { details: { timing: schedule.timing.type } },
        afterCommit: services.nudgeSchedules,
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/schedules',
    operationId: 'listSchedules',
    summary: 'List schedules, newest first',
    tag: 'Schedules',
    scope: 'schedules:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('schedule').optional(),
      status: anyOf(scheduleStatusSchema),
      ...timeFilters,
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(scheduleSchema).meta({ id: 'ScheduleList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const schedules = await listSchedules(sql, tenantId, page, { ...timesOf(query), status: query.status });
      return { status: 200, body: pageOf(schedules, query.limit, (schedule: Schedule) => schedule.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/schedules/:schedule_id',
    operationId: 'getSchedule',
    summary: 'Read a schedule',
    tag: 'Schedules',
    scope: 'schedules:read',
    params,
    query: none,
    response: one,
    problems: ['not_found'],
    async handle({ tenantId, params: { schedule_id: id }, sql }) {
      return { status: 200, body: await findSchedule(sql, tenantId, id) };
    },
  }),

  defineRoute({
    method: 'put',
    path: '/v1/schedules/:schedule_id',
    operationId: 'updateSchedule',
    summary: 'Replace what a schedule says; its history stays',
    description:
      'Ticks are counted from now on: one that is due, and has not run yet, is dropped. A schedule that has ended begins ' +
      'anew, and one that is paused stays so.',
    tag: 'Schedules',
    scope: 'schedules:write',
    audit: 'schedule.updated',
    params,
    query: none,
    body: putScheduleSchema,
    response: one,
    problems: [...PUT_PROBLEMS, 'schedule_limit'],
    async handle(call, services) {
      const { tenantId, limits, body, sql } = call;
      const { schedule_id: id } = call.params;
      const { schedule: found, now } = await holdSchedule(sql, tenantId, id);
      if (found.status === 'ended') await checkCount(sql, { tenantId, limits }, 'schedules', id);
      const asked = await checkSchedule(call, services, body);
      const next = firstTick({ ...asked, id, created_at: new Date(found.created_at) }, now);
      const schedule = await updateSchedule(sql, { tenantId, id, asked, next, now });
      if (schedule === null) throw noSchedule(id);
      return { status: 200, body: schedule, afterCommit: services.nudgeSchedules };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/schedules/:schedule_id/pause',
    operationId: 'pauseSchedule',
    summary: 'Pause a schedule: it has no ticks until it is resumed',
    tag: 'Schedules',
    scope: 'schedules:write',
    audit: 'schedule.paused',
    params,
    query: none,
    response: { ...one, description: 'The schedule. One that was not active is unchanged.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { schedule_id: id }, sql }) {
      const paused = await pauseSchedule(sql, tenantId, id);
      return { status: 200, body: paused ?? (await findSchedule(sql, tenantId, id)) };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/schedules/:schedule_id/resume',
    operationId: 'resumeSchedule',
    summary: 'Resume a schedule that was paused, with the next tick from now on',
    tag: 'Schedules',
    scope: 'schedules:write',
    audit: 'schedule.resumed',
    params,
    query: none,
    response: {
      ...one,
      description:
        'The schedule. One that was not paused is unchanged, and one without a further tick has ended.',
    },
    problems: ['not_found'],
    async handle({ tenantId, params: { schedule_id: id }, sql }, { nudgeSchedules }) {
      const { schedule: found, now } = await holdSchedule(sql, tenantId, id);
      const [next = null] = ticksAfter(ticksOf(found), now, 1);
      const resumed = await resumeSchedule(sql, tenantId, id, next);
      return { status: 200, body: resumed ?? found, afterCommit: nudgeSchedules };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/schedules/:schedule_id/runs',
    operationId: 'listScheduleRuns',
    summary: "List what became of a schedule's ticks, newest first",
    tag: 'Schedules',
    scope: 'schedules:read',
    params,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('scheduleRun').optional(),
      status: anyOf(runStatusSchema),
      ...timeFilters,
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(scheduleRunSchema).meta({ id: 'ScheduleRunList' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle({ tenantId, params: { schedule_id: id }, query, sql }) {
      await findSchedule(sql, tenantId, id);
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = { ...timesOf(query), scheduleId: id, status: query.status };
      const runs = await listScheduleRuns(sql, tenantId, page, filter);
      return { status: 200, body: pageOf(runs, query.limit, (run: ScheduleRun) => run.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/schedules/:schedule_id/forecast',
    operationId: 'getScheduleForecast',
    summary: 'Read the next ticks of a schedule',
    description: 'From now on; also of one that is paused, as if it were resumed now.',
    tag: 'Schedules',
    scope: 'schedules:read',
    params,
    query: z.object({
      limit: z.coerce
        .number()
        .int()
        .min(1)
        .max(MOST_FORECAST)
        .default(10)
        .meta({ description: 'Ticks at most.' }),
    }),
    response: { status: 200, description: 'The next ticks.', schema: scheduleForecastSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { schedule_id: id }, query, sql }) {
      const schedule = await findSchedule(sql, tenantId, id);
      const ticks = ticksAfter(ticksOf(schedule), await readClock(sql), query.limit);
      const items = ticks.map(({ tickAt, dueAt }) => ({
        tick_at: tickAt.toISOString(),
        due_at: dueAt.toISOString(),
      }));
      return { status: 200, body: { object: 'schedule_forecast', schedule_id: id, items } };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/schedules/:schedule_id',
    operationId: 'deleteSchedule',
    summary: 'Delete a schedule with its history; its turns and sessions stay',
    tag: 'Schedules',
    scope: 'schedules:write',
    audit: 'schedule.deleted',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { schedule_id: id }, sql }, { nudgeSchedules }) {
      if (!(await deleteSchedule(sql, tenantId, id))) throw noSchedule(id);
      return { status: 204, afterCommit: nudgeSchedules };
    },
  }),
];

async function findSchedule(sql: Sql, tenantId: string, id: string): Promise<Schedule> {
  const schedule = await readSchedule(sql, tenantId, id);
  if (schedule === null) throw noSchedule(id);
  return schedule;
}

/** As `findSchedule`, with the time; it stays as it is until the transaction of `sql` ends. */
async function holdSchedule(
  sql: Sql,
  tenantId: string,
  id: string,
): Promise<{ schedule: Schedule; now: Date }> {
  const locked = await lockSchedule(sql, tenantId, id);
  if (locked === null) throw noSchedule(id);
  return locked;
}

function ticksOf(schedule: Schedule): Ticks {
  return { ...schedule, created_at: new Date(schedule.created_at) };
}

function noSchedule(id: string): ProblemError {
  return new ProblemError('not_found', `There is no schedule ${id}.`);
}

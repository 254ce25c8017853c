import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';
import { turnStatusSchema } from './statuses.ts';
import { timestampSchema } from './times.ts';
import { startTurnSchema } from './turns.ts';

const DAY_SECONDS = 24 * 60 * 60;

/** When a schedule has its ticks. */
export const timingSchema = z
  .discriminatedUnion('type', [
    z
      .strictObject({
        type: z.literal('interval'),
        every_seconds: z
          .int()
          .min(1)
          .max(366 * DAY_SECONDS),
      })
      .meta({ description: 'At `starts_at`, and so often from then on. Default: from the creation on.' }),
    z
      .strictObject({
        type: z.literal('cron'),
        expression: z.string().min(1).max(200).meta({
          description:
            'Five fields: minute, hour, day of the month, month, day of the week. Also `L`, `W`, `#`, and names as `@daily`.',
          example: '0 9 * * MON-FRI',
        }),
        time_zone: z.string().min(1).max(64).default('UTC').meta({
          description: 'A time zone of the IANA database.',
          example: 'Europe/Berlin',
        }),
      })
      .meta({
        description:
          'At the local times that the expression names. Where clocks go forward, a time that is skipped is the first ' +
          'one after the gap; where they go back, a time that comes twice is the first of both. With a `*` or a step ' +
          'in hour or minute it is every time that there is.',
      }),
    z.strictObject({ type: z.literal('once'), at: timestampSchema }).meta({ description: 'At one time.' }),
  ])
  .meta({ id: 'ScheduleTiming' });
export type Timing = z.infer<typeof timingSchema>;

const { run_at: _runAt, ...turnFields } = startTurnSchema.shape;
const { input, agent_id: agentId, ...settings } = turnFields;

/** A turn as `POST /v1/turns` takes it, without its time. */
export const scheduledTurnSchema = z
  .strictObject({ agent_id: agentId, input, ...settings })
  .meta({ id: 'ScheduledTurn', description: 'The turn that each tick submits.' });
export type ScheduledTurn = z.infer<typeof scheduledTurnSchema>;

export const sessionPolicySchema = z.enum(['new', 'one']);
export type SessionPolicy = z.infer<typeof sessionPolicySchema>;
export const overlapSchema = z.enum(['skip', 'queue', 'cancel', 'allow']);
export type Overlap = z.infer<typeof overlapSchema>;
export const catchUpSchema = z.enum(['none', 'last', 'all']);
export type CatchUp = z.infer<typeof catchUpSchema>;

/** A tick that is no later than this is not late: it runs, whatever the schedule says of late ones. Seconds. */
export const TICK_GRACE_SECONDS = 30;

/** A session that is named is one. */
export function sessionOf({
  session,
  session_id: id,
}: {
  session: SessionPolicy;
  session_id?: string | undefined;
}) {
  return id === undefined ? session : 'one';
}

export const putScheduleSchema = z
  .strictObject({
    name: z.string().min(1).max(200).optional(),
    timing: timingSchema,
    turn: scheduledTurnSchema,
    session: sessionPolicySchema.default('new').meta({
      description: '`new`: each tick begins a session. `one`: the first does, and all later turns are in it.',
    }),
    session_id: idSchema('session').optional().meta({
      description: 'An existing session, of the same agent, for all turns: as with `session: "one"`.',
    }),
    overlap: overlapSchema.default('skip').meta({
      description:
        'What a tick does while a turn of an earlier one is open. `skip`: nothing. `cancel`: it cancels that turn. ' +
        '`queue`: its turn waits in the session; only with `session: "one"`. `allow`: its turn runs beside it; only ' +
        'with `session: "new"`.',
    }),
    catch_up: catchUpSchema.default('last').meta({
      description:
        `What becomes of ticks that are more than ${TICK_GRACE_SECONDS} seconds late, since nothing ran at their time. ` +
        '`none`: they are missed. `last`: the last of them runs. `all`: each runs, in their order.',
    }),
    catch_up_seconds: z
      .int()
      .min(60)
      .max(30 * DAY_SECONDS)
      .default(DAY_SECONDS)
      .meta({ description: 'Ticks that are later than this are missed in any case.' }),
    jitter_seconds: z.int().min(0).max(3_600).default(0).meta({
      description:
        'Each tick runs up to so much later, by a share that follows from the schedule and the tick.',
    }),
    starts_at: timestampSchema.optional().meta({ description: 'There is no tick before this time.' }),
    ends_at: timestampSchema.optional().meta({ description: 'There is no tick at this time or later.' }),
    metadata: metadataSchema.optional(),
  })
  .refine((schedule) => schedule.overlap !== 'queue' || sessionOf(schedule) === 'one', {
    path: ['overlap'],
    message: '`queue` needs `session: "one"`: turns of different sessions do not wait for each other',
  })
  .refine((schedule) => schedule.overlap !== 'allow' || sessionOf(schedule) === 'new', {
    path: ['overlap'],
    message: '`allow` needs `session: "new"`: the turns of one session run one after another',
  })
  .meta({ id: 'PutSchedule' });
export type PutSchedule = z.infer<typeof putScheduleSchema>;

export const SCHEDULE_STATUSES = ['active', 'paused', 'ended'] as const;
export const scheduleStatusSchema = z.enum(SCHEDULE_STATUSES);
export type ScheduleStatus = z.infer<typeof scheduleStatusSchema>;

const nullableTime = (description: string) => z.iso.datetime().nullable().meta({ description });

export const scheduleSchema = z
  .object({
    id: idSchema('schedule'),
    object: z.literal('schedule'),
    status: scheduleStatusSchema,
    name: z.string().nullable(),
    timing: timingSchema,
    turn: scheduledTurnSchema,
    session: sessionPolicySchema,
    session_id: idSchema('session').nullable().meta({ description: 'The session of its turns, with `one`.' }),
    overlap: overlapSchema,
    catch_up: catchUpSchema,
    catch_up_seconds: z.int(),
    jitter_seconds: z.int(),
    starts_at: z.iso.datetime().nullable(),
    ends_at: z.iso.datetime().nullable(),
    metadata: metadataSchema,
    next_tick_at: nullableTime('Null while it is paused, and once it has ended.'),
    next_due_at: nullableTime('When that tick runs: with its jitter.'),
    last_tick_at: nullableTime('The last one that ran, was skipped, refused or missed.'),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Schedule', description: 'Turns that are submitted at times.' });
export type Schedule = z.infer<typeof scheduleSchema>;

export const RUN_STATUSES = ['started', 'skipped', 'refused', 'missed'] as const;
export const runStatusSchema = z.enum(RUN_STATUSES);
export type RunStatus = z.infer<typeof runStatusSchema>;

/** What became of a tick. */
export const scheduleRunSchema = z
  .object({
    id: idSchema('scheduleRun'),
    object: z.literal('schedule_run'),
    schedule_id: idSchema('schedule'),
    tick_at: z.iso.datetime(),
    until: nullableTime('With `missed`: the last tick of those that it stands for.'),
    ticks: z.int().positive().meta({
      description: 'For how many ticks it stands, counted up to 10,000; 1 unless they were missed.',
    }),
    due_at: z.iso.datetime(),
    status: runStatusSchema.meta({
      description:
        '`started`: it submitted a turn. `skipped`: for `overlap`. `refused`: the turn was, for the reason in `error`. ' +
        '`missed`: nothing ran at its time, and it was not made up for.',
    }),
    turn_id: idSchema('turn').nullable(),
    turn_status: turnStatusSchema.nullable().meta({ description: 'Null where the turn was deleted.' }),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'ScheduleRun', description: 'What became of a tick of a schedule.' });
export type ScheduleRun = z.infer<typeof scheduleRunSchema>;

export const scheduleForecastSchema = z
  .object({
    object: z.literal('schedule_forecast'),
    schedule_id: idSchema('schedule'),
    items: z.array(z.object({ tick_at: z.iso.datetime(), due_at: z.iso.datetime() })),
  })
  .meta({ id: 'ScheduleForecast', description: 'The next ticks of a schedule.' });
export type ScheduleForecast = z.infer<typeof scheduleForecastSchema>;

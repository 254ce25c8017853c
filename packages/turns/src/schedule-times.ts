import { createHash } from 'node:crypto';
import { TICK_GRACE_SECONDS, type CatchUp, type Timing, type ValidationIssue } from '@turnpike/contract';
import { Cron } from 'croner';

/** When a schedule has its ticks, and how long. */
export interface Times {
  timing: Timing;
  startsAt: Date | null;
  endsAt: Date | null;
  createdAt: Date;
}

const SECOND_MS = 1_000;
/** Ticks are counted up to this. */
const MOST_COUNTED = 10_000;

/** What is wrong with it, in words for the client; null: nothing. */
export function timingIssue(timing: Timing): ValidationIssue | null {
  if (timing.type !== 'cron') return null;
  try {
    Intl.DateTimeFormat('en', { timeZone: timing.time_zone });
  } catch {
    return { path: 'timing.time_zone', message: 'is no time zone of the IANA database' };
  }
  try {
    makeCron(timing);
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^\w+: /, '') : 'is not valid';
    return { path: 'timing.expression', message: why };
  }
}

type CronTiming = Timing & { type: 'cron' };

/*
 * With a wildcard or a step it is every time that there is; else a local time that a change of the clocks skips is the
 * first one after the gap, and one that comes twice is the first of both.
 */
function makeCron({ expression, time_zone: timezone }: CronTiming): Cron {
  return new Cron(expression, { mode: '5-part', timezone, paused: true, fixedTimeRule: 'no-wildcard' });
}

/** To parse an expression costs more than a step from tick to tick, of which there may be thousands. */
const crons = new WeakMap<CronTiming, Cron>();

/** It keeps no state of what it is asked. Throws where the expression or the time zone is not valid. */
function cronOf(timing: CronTiming): Cron {
  const known = crons.get(timing);
  if (known !== undefined) return known;
  const cron = makeCron(timing);
  crons.set(timing, cron);
  return cron;
}

/** The first tick after a time; null: there is none. */
export function nextTick(times: Times, after: Date): Date | null {
  const { startsAt, endsAt } = times;
  const from = startsAt !== null && after < startsAt ? new Date(startsAt.getTime() - 1) : after;
  const tick = nextOf(times, from);
  return tick === null || (endsAt !== null && tick >= endsAt) ? null : tick;
}

/** The last tick up to a time, which may be that time; null: there is none. */
export function lastTick(times: Times, upTo: Date): Date | null {
  const { startsAt, endsAt } = times;
  const before = new Date(Math.min(upTo.getTime() + 1, endsAt === null ? Infinity : endsAt.getTime()));
  const tick = lastBefore(times, before);
  return tick === null || (startsAt !== null && tick < startsAt) ? null : tick;
}

function anchorOf({ startsAt, createdAt }: Times): number {
  return startsAt?.getTime() ?? Math.floor(createdAt.getTime() / SECOND_MS) * SECOND_MS;
}

function nextOf(times: Times, after: Date): Date | null {
  const { timing } = times;
  if (timing.type === 'once') {
    const at = new Date(timing.at);
    return at > after ? at : null;
  }
  if (timing.type === 'cron') return cronOf(timing).nextRun(after);
  const every = timing.every_seconds * SECOND_MS;
  const anchor = anchorOf(times);
  return new Date(anchor + every * Math.max(0, Math.floor((after.getTime() - anchor) / every) + 1));
}

function lastBefore(times: Times, before: Date): Date | null {
  const { timing } = times;
  if (timing.type === 'once') {
    const at = new Date(timing.at);
    return at < before ? at : null;
  }
  if (timing.type === 'cron') return cronOf(timing).previousRuns(1, before)[0] ?? null;
  const every = timing.every_seconds * SECOND_MS;
  const anchor = anchorOf(times);
  const passed = Math.ceil((before.getTime() - anchor) / every) - 1;
  return passed < 0 ? null : new Date(anchor + every * passed);
}

/** Ticks from one to another, both counted; 10,000 at most. */
export function countTicks(times: Times, from: Date, to: Date): number {
  if (times.timing.type === 'interval') {
    const every = times.timing.every_seconds * SECOND_MS;
    return Math.min(MOST_COUNTED, Math.round((to.getTime() - from.getTime()) / every) + 1);
  }
  let count = 1;
  for (
    let tick = nextTick(times, from);
    tick !== null && tick <= to && count < MOST_COUNTED;
    tick = nextTick(times, tick)
  )
    count += 1;
  return count;
}

/** When a tick runs: with a jitter that is the same in every process, and after every crash. */
export function dueAt(scheduleId: string, tick: Date, jitterSeconds: number): Date {
  if (jitterSeconds === 0) return tick;
  const digest = createHash('sha256').update(`${scheduleId} ${tick.toISOString()}`).digest();
  const share = digest.readUInt32BE() / 2 ** 32;
  return new Date(tick.getTime() + Math.floor(share * jitterSeconds * SECOND_MS));
}

/** What is to be done with a tick that is due. */
export interface Decision {
  /** The ticks from this one up to `until` are missed; null: the tick runs. */
  missed: { until: Date; ticks: number } | null;
  /** The tick that comes next; null: there is none. */
  next: Date | null;
}

/**
 * Whether a tick that is due runs, or is missed, with those after it that are too late as well. One that is no later
 * than the grace, beside its jitter, runs in any case.
 */
export function decideTick(
  times: Times,
  rules: { catchUp: CatchUp; catchUpSeconds: number; jitterSeconds: number },
  tick: Date,
  now: Date,
): Decision {
  const ago = (seconds: number): Date => new Date(now.getTime() - seconds * SECOND_MS - 1);
  const onTime = ago(TICK_GRACE_SECONDS + rules.jitterSeconds);
  // A tick that is on time is made up for in any case: with a long jitter it may be older than the bound.
  const oldest = ago(Math.max(rules.catchUpSeconds, TICK_GRACE_SECONDS + rules.jitterSeconds));
  const kept = tick > onTime ? tick : firstKept(times, rules, { tick, now, onTime, oldest });
  if (kept !== null && kept <= tick) return { missed: null, next: nextTick(times, tick) };
  const until = lastTick(times, kept === null ? now : new Date(kept.getTime() - 1)) ?? tick;
  return { missed: { until, ticks: countTicks(times, tick, until) }, next: kept };
}

/** The first tick that runs, of a late one and those after it. */
function firstKept(
  times: Times,
  { catchUp }: { catchUp: CatchUp },
  { tick, now, onTime, oldest }: { tick: Date; now: Date; onTime: Date; oldest: Date },
): Date | null {
  const firstOnTime = nextTick(times, onTime);
  if (catchUp === 'none') return firstOnTime;
  if (catchUp === 'all') return tick > oldest ? tick : nextTick(times, oldest);
  // The last one: where a tick is on time, that is not a late one.
  const last = lastTick(times, now);
  return last !== null && last <= onTime && last > oldest ? last : firstOnTime;
}

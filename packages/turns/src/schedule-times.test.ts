import { expect, test } from '@jest/globals';
import type { CatchUp, Timing } from '@turnpike/contract';
import {
  countTicks,
  decideTick,
  dueAt,
  lastTick,
  nextTick,
  timingIssue,
  type Times,
} from './schedule-times.ts';

const at = (text: string): Date => new Date(text);
const timesOf = (timing: Timing, more: Partial<Times> = {}): Times => ({
  timing,
  startsAt: null,
  endsAt: null,
  createdAt: at('2026-01-01T00:00:00.300Z'),
  ...more,
});
const cron = (expression: string, time_zone = 'UTC'): Times =>
  timesOf({ type: 'cron', expression, time_zone });
const every = (seconds: number, more: Partial<Times> = {}): Times =>
  timesOf({ type: 'interval', every_seconds: seconds }, more);

/** Of a day in which clocks change, and those around it. */
function ticks(times: Times, from: string, to: string): string[] {
  const found: string[] = [];
  const end = at(to);
  for (let tick = nextTick(times, at(from)); tick !== null && tick <= end; tick = nextTick(times, tick))
    found.push(tick.toISOString().slice(0, 16));
  return found;
}

test('a local time that the clocks skip is the first one after the gap', () => {
  const daily = cron('30 2 * * *', 'Europe/Berlin');
  // 02:30 of winter, then 03:00 of summer, as 02:30 does not exist, then 02:30 of summer.
  expect(ticks(daily, '2026-03-28T00:00:00Z', '2026-03-30T12:00:00Z')).toEqual([
    '2026-03-28T01:30',
    '2026-03-29T01:00',
    '2026-03-30T00:30',
  ]);
  const listed = cron('15,45 2 * * *', 'America/New_York');
  expect(ticks(listed, '2026-03-07T12:00:00Z', '2026-03-09T00:00:00Z')).toEqual(['2026-03-08T07:00']);
});

test('a local time that comes twice is the first of both', () => {
  expect(ticks(cron('30 2 * * *', 'Europe/Berlin'), '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual([
    '2026-10-25T00:30',
    '2026-10-26T01:30',
  ]);
  expect(
    ticks(cron('30 1 * * *', 'America/New_York'), '2026-10-31T12:00:00Z', '2026-11-02T12:00:00Z'),
  ).toEqual(['2026-11-01T05:30', '2026-11-02T06:30']);
  // Half an hour, where clocks go back by no more.
  expect(
    ticks(cron('45 1 * * *', 'Australia/Lord_Howe'), '2026-04-03T20:00:00Z', '2026-04-05T20:00:00Z'),
  ).toEqual(['2026-04-04T14:45', '2026-04-05T15:15']);
});

test('what is every hour, or every half of one, is so when clocks change', () => {
  const hourly = cron('30 * * * *', 'Europe/Berlin');
  expect(ticks(hourly, '2026-10-24T23:00:00Z', '2026-10-25T03:00:00Z')).toEqual([
    '2026-10-24T23:30',
    '2026-10-25T00:30',
    '2026-10-25T01:30',
    '2026-10-25T02:30',
  ]);
  const halves = cron('*/30 * * * *', 'Europe/Berlin');
  expect(ticks(halves, '2026-03-29T00:00:00Z', '2026-03-29T02:00:00Z')).toEqual([
    '2026-03-29T00:30',
    '2026-03-29T01:00',
    '2026-03-29T01:30',
    '2026-03-29T02:00',
  ]);
});

test('the last tick up to a time is the one that a walk from tick to tick finds', () => {
  const kinds = [
    cron('30 2 * * *', 'Europe/Berlin'),
    cron('30 * * * *', 'Europe/Berlin'),
    cron('*/20 1-3 * * SUN', 'Europe/Berlin'),
    every(3_607),
  ];
  for (const times of kinds) {
    for (const day of ['2026-03-29', '2026-10-25', '2026-06-07']) {
      const start = at(`${day}T00:00:00Z`).getTime() - 36 * 3_600_000;
      let last: Date | null = null;
      let next = nextTick(times, new Date(start));
      for (let now = start; now < start + 72 * 3_600_000; now += 600_000) {
        while (next !== null && next.getTime() <= now) {
          last = next;
          next = nextTick(times, next);
        }
        if (last !== null) expect(lastTick(times, new Date(now))).toEqual(last);
      }
    }
  }
});

test('an interval counts from its start, or from the creation of its schedule', () => {
  expect(nextTick(every(60), at('2026-01-01T00:00:00.300Z'))).toEqual(at('2026-01-01T00:01:00Z'));
  const starts = every(90, { startsAt: at('2026-02-01T00:00:30Z'), endsAt: at('2026-02-01T00:03:30Z') });
  expect(ticks(starts, '2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z')).toEqual([
    '2026-02-01T00:00',
    '2026-02-01T00:02',
  ]);
  expect(lastTick(starts, at('2026-03-01T00:00:00Z'))).toEqual(at('2026-02-01T00:02:00Z'));
  expect(lastTick(starts, at('2026-01-01T00:00:00Z'))).toBeNull();
  expect(countTicks(starts, at('2026-02-01T00:00:30Z'), at('2026-02-01T00:02:00Z'))).toBe(2);
});

test('a timing that has no meaning is refused in words', () => {
  const issueOf = (expression: string, time_zone = 'UTC') =>
    timingIssue({ type: 'cron', expression, time_zone })?.path ?? null;
  expect(issueOf('0 9 * * MON-FRI', 'Europe/Berlin')).toBeNull();
  expect(issueOf('@daily')).toBeNull();
  for (const wrong of ['', 'x', '61 * * * *', '* * * *', '* * * * * *', '0 9 * * NEVERDAY'])
    expect([wrong, issueOf(wrong)]).toEqual([wrong, 'timing.expression']);
  expect(issueOf('0 9 * * *', 'Mars/Olympus')).toBe('timing.time_zone');
  // Valid, and never.
  expect(nextTick(cron('0 0 30 2 *'), at('2026-01-01T00:00:00Z'))).toBeNull();
});

test('the jitter of a tick is the same whenever it is asked for, and spreads schedules', () => {
  const tick = at('2026-01-01T09:00:00Z');
  const due = (id: string): number => dueAt(id, tick, 60).getTime() - tick.getTime();
  expect(due('sched_a')).toBe(due('sched_a'));
  const all = Array.from({ length: 200 }, (_, index) => due(`sched_${index}`));
  expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...all)).toBeLessThan(60_000);
  expect(new Set(all).size).toBeGreaterThan(190);
  expect(dueAt('sched_a', tick, 0)).toEqual(tick);
});

/** What becomes of the ticks of every minute, from 00:00 on, when they are looked at again at a time. */
function outcomes(catchUp: CatchUp, now: string, catchUpSeconds = 3_600, jitterSeconds = 0): string[] {
  const times = every(60, { startsAt: at('2026-01-01T00:00:00Z') });
  const rules = { catchUp, catchUpSeconds, jitterSeconds };
  const done: string[] = [];
  let tick: Date | null = at('2026-01-01T00:00:00Z');
  while (tick !== null && tick <= at(now)) {
    const { missed, next } = decideTick(times, rules, tick, at(now));
    const name = tick.toISOString().slice(11, 16);
    done.push(missed === null ? name : `missed ${missed.ticks} from ${name}`);
    tick = next;
  }
  expect(tick).not.toBeNull();
  return done;
}

test('late ticks are missed, made up for by the last one, or all made up for, within a bound', () => {
  expect(outcomes('none', '2026-01-01T00:00:20Z')).toEqual(['00:00']);
  expect(outcomes('none', '2026-01-01T00:10:20Z')).toEqual(['missed 10 from 00:00', '00:10']);
  expect(outcomes('none', '2026-01-01T00:10:50Z')).toEqual(['missed 11 from 00:00']);
  expect(outcomes('last', '2026-01-01T00:10:20Z')).toEqual(['missed 10 from 00:00', '00:10']);
  expect(outcomes('last', '2026-01-01T00:10:50Z')).toEqual(['missed 10 from 00:00', '00:10']);
  expect(outcomes('all', '2026-01-01T00:03:50Z')).toEqual(['00:00', '00:01', '00:02', '00:03']);
  expect(outcomes('all', '2026-01-01T02:00:50Z', 120)).toEqual(['missed 119 from 00:00', '01:59', '02:00']);
});

test('ticks that are no later than their jitter all run, also where that is longer than the bound', () => {
  expect(outcomes('all', '2026-01-01T02:00:20Z', 60, 300)).toEqual([
    'missed 115 from 00:00',
    '01:55',
    '01:56',
    '01:57',
    '01:58',
    '01:59',
    '02:00',
  ]);
});

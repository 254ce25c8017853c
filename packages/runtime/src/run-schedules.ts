import { runPasses, type Passes } from '@turnpike/store';
import type { Metrics, Report } from '@turnpike/telemetry';
import type { ScheduleRunner } from '@turnpike/turns';

/** Between two passes, however soon a tick is due: those that are due together are run by one pass. Milliseconds. */
const LEAST_WAIT_MS = 20;
const SECOND_MS = 1_000;

/** Runs the ticks of schedules at their times, and counts what became of them. */
export function runSchedules({
  runner,
  everyMs,
  metrics,
  warn,
}: {
  runner: ScheduleRunner;
  everyMs: number;
  metrics: Metrics;
  warn: Report;
}): Passes {
  const ticks = metrics.counter('turnpike_schedule_ticks_total');
  const delay = metrics.histogram('turnpike_schedule_delay_seconds');
  const onError = warn('Schedules could not be run; the next pass continues.');
  return runPasses({
    everyMs,
    onError,
    async pass() {
      const done = await runner.pass();
      for (const [outcome, count] of Object.entries(done.ticks)) ticks.inc({ outcome }, count);
      for (const delayMs of done.delays) delay.observe({}, delayMs / SECOND_MS);
      done.errors.forEach((error) => onError(error));
      return done.untilDue === null ? undefined : Math.max(LEAST_WAIT_MS, done.untilDue);
    },
  });
}

import type { Schedule } from '@turnpike/client';

const UNITS = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3_600 },
  { name: 'minute', seconds: 60 },
  { name: 'second', seconds: 1 },
] as const;

/** When a schedule has its ticks, in a few words. */
export function describeTiming(timing: Schedule['timing']): string {
  if (timing.type === 'cron') return `${timing.expression} (${timing.time_zone})`;
  if (timing.type === 'once') return `once, ${timing.at}`;
  const { every_seconds: seconds } = timing;
  const { name, seconds: one } = UNITS.find((unit) => seconds % unit.seconds === 0) ?? UNITS[3];
  return seconds === one ? `every ${name}` : `every ${seconds / one} ${name}s`;
}

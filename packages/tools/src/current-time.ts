import type { ToolOutput } from '@turnpike/contract';
import { z } from 'zod';
import { defineTool, textOutput, type Tool } from './tool.ts';

const inputSchema = z.strictObject({
  time_zone: z.string().max(64).optional().describe('An IANA time zone such as Europe/Lisbon. Default: UTC.'),
});

/** Returns the date and the time, in any time zone. */
export function currentTime(now: () => Date = () => new Date()): Tool {
  return defineTool({
    name: 'current_time',
    description: 'Tells the current date, weekday and time. Use it whenever the answer depends on the time.',
    input: inputSchema,
    effect: 'read',
    run: ({ time_zone: zone = 'UTC' }) => Promise.resolve(tellTime(now(), zone)),
  });
}

/** ISO 8601 with the zone's offset, then weekday and zone. */
function tellTime(moment: Date, zone: string): ToolOutput {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      weekday: 'long',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'longOffset',
    });
  } catch {
    return textOutput(`There is no time zone "${zone}". Use an IANA name such as Europe/Lisbon.`, true);
  }
  const part = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  const offset = part['timeZoneName']?.replace('GMT', '') || '+00:00';
  const date = `${part['year']}-${part['month']}-${part['day']}`;
  const time = `${part['hour']}:${part['minute']}:${part['second']}`;
  return textOutput(`${date}T${time}${offset} (${part['weekday']}, ${zone})`);
}

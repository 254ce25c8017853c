import { expect, test } from '@jest/globals';
import { currentTime } from './current-time.ts';
import { agentWith, callOf, scopeOf, textIn, turnContext } from './testing/test-call.ts';
import { testRunner } from './testing/test-runner.ts';

const scope = scopeOf(agentWith('current_time'));

function ask(moment: string, input: unknown) {
  const clock = currentTime(() => new Date(moment));
  const runner = testRunner({ builtins: [clock] });
  return runner.run(scope, callOf('current_time', input), turnContext());
}

test.each([
  ['2026-01-15T12:00:00Z', {}, '2026-01-15T12:00:00+00:00 (Thursday, UTC)'],
  [
    '2026-01-15T12:00:00Z',
    { time_zone: 'Europe/Berlin' },
    '2026-01-15T13:00:00+01:00 (Thursday, Europe/Berlin)',
  ],
  [
    '2026-07-15T12:00:00Z',
    { time_zone: 'Europe/Berlin' },
    '2026-07-15T14:00:00+02:00 (Wednesday, Europe/Berlin)',
  ],
  [
    '2026-01-15T12:00:00Z',
    { time_zone: 'Asia/Kathmandu' },
    '2026-01-15T17:45:00+05:45 (Thursday, Asia/Kathmandu)',
  ],
  [
    '2026-01-01T04:59:59Z',
    { time_zone: 'America/New_York' },
    '2025-12-31T23:59:59-05:00 (Wednesday, America/New_York)',
  ],
  [
    '2026-01-01T05:00:00Z',
    { time_zone: 'America/New_York' },
    '2026-01-01T00:00:00-05:00 (Thursday, America/New_York)',
  ],
])('at %s with %j it tells %s', async (moment, input, told) => {
  const output = await ask(moment, input);
  expect(output).toEqual({ content: [{ type: 'text', text: told }], isError: false });
  expect(new Date(told.slice(0, 25)).getTime()).toBe(new Date(moment).getTime());
});

test('an unknown zone is an error that explains itself', async () => {
  const output = await ask('2026-01-15T12:00:00Z', { time_zone: 'Mars/Olympus' });
  expect(output.isError).toBe(true);
  expect(textIn(output)).toBe(
    'There is no time zone "Mars/Olympus". Use an IANA name such as Europe/Lisbon.',
  );
});

test('by default it tells the time of this machine', async () => {
  const runner = testRunner({ builtins: [currentTime()] });
  const before = Math.floor(Date.now() / 1000) * 1000;
  const output = await runner.run(scope, callOf('current_time', {}), turnContext());
  const told = new Date(textIn(output).slice(0, 25)).getTime();
  expect(told).toBeGreaterThanOrEqual(before);
  expect(told).toBeLessThanOrEqual(Date.now());
});

test('it may be repeated', async () => {
  const runner = testRunner({ builtins: [currentTime()] });
  expect((await runner.planOf(scope, callOf('current_time', {}))).effect).toBe('read');
});

import { expect, test } from '@jest/globals';
import { OutcomeUnknownError } from '@turnpike/contract';
import { EgressRefusedError, EgressUnreachableError, type EgressResponse } from '@turnpike/egress';
import { judgeAttempt } from './judge-attempt.ts';
import { DEFAULT_RETRY_SCHEDULE, retryScheduleSchema } from './retry-schedule.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const HOUR = 3_600_000;
const schedule = [5_000, 300_000];

const response = (status: number, headers: Record<string, string> = {}, body = ''): EgressResponse => ({
  status,
  headers,
  body: Buffer.from(body),
  truncated: false,
  bodyEnd: 'complete',
});

function judge(outcome: { result: EgressResponse } | { error: unknown }, tries = 0) {
  return judgeAttempt({ outcome, durationMs: 12 }, { schedule, tries, nowMs: NOW });
}

test.each([200, 201, 202, 204, 299])('%i is a success', (status) => {
  expect(judge({ result: response(status) }).outcome).toEqual({ result: 'delivered' });
});

test.each([
  [300, 'redirect_refused'],
  [302, 'redirect_refused'],
  [400, 'status_refused'],
  [401, 'status_refused'],
  [404, 'status_refused'],
  [429, 'status_refused'],
  [500, 'status_refused'],
  [503, 'status_refused'],
])('%i is a failure, and is retried', (status, errorCode) => {
  const { outcome, report } = judge({ result: response(status) });
  expect(outcome.result).toBe('failed');
  expect(report).toMatchObject({ responseStatus: status, errorCode });
});

test('410 ends the delivery at once', () => {
  expect(judge({ result: response(410) }).outcome).toEqual({ result: 'dead', gone: true });
});

test.each([
  new EgressRefusedError('address_refused', 'x'),
  new EgressUnreachableError('dns_failed', 'x'),
  new OutcomeUnknownError('answer_timeout', 'x'),
])('an attempt without a response is a failure: $code', (error) => {
  const { outcome, report } = judge({ error });
  expect(outcome.result).toBe('failed');
  expect(report).toEqual({ durationMs: 12, responseStatus: null, responseBody: null, errorCode: error.code });
});

test('there is no attempt after the last one of the schedule, whatever the receiver asks for', () => {
  expect(judge({ result: response(503, { 'retry-after': '1' }) }, 1).outcome.result).toBe('failed');
  expect(judge({ result: response(503, { 'retry-after': '1' }) }, 2).outcome).toEqual({
    result: 'dead',
    gone: false,
  });
});

test.each([
  [429, '600', 600_000, 600_000],
  [503, new Date(NOW + 2 * HOUR).toUTCString(), 2 * HOUR, 2 * HOUR],
  [503, '1', 5_000, 6_000],
  [503, '99999999', 10 * HOUR, 10 * HOUR],
  [503, 'soon', 5_000, 6_000],
  [500, '600', 5_000, 6_000],
])('Retry-After of a %i (%s) is honoured within limits', (status, value, least, most) => {
  const { outcome } = judge({ result: response(status, { 'retry-after': value }) });
  if (outcome.result !== 'failed') throw new Error('It is not retried.');
  expect(outcome.retryInMs).toBeGreaterThanOrEqual(least);
  expect(outcome.retryInMs).toBeLessThanOrEqual(most);
});

test('the body that is kept of a response can be stored: no NUL, no truncated character', () => {
  const result = { ...response(500), body: Buffer.from([0x61, 0x00, 0xf0, 0x9f, 0x98]) };
  expect(judge({ result }).report.responseBody).toBe('a\uFFFD\uFFFD');
});

test('a receiver fails by its own responses, not by what our egress refuses', () => {
  expect(judge({ result: response(204) }).receiverWell).toBe(true);
  expect(judge({ result: response(500) }).receiverWell).toBe(false);
  expect(judge({ result: response(429) }).receiverWell).toBe(false);
  expect(judge({ error: new OutcomeUnknownError('connection_lost', 'x') }).receiverWell).toBe(false);
  expect(judge({ result: response(404) }).receiverWell).toBe(true);
  expect(judge({ error: new EgressRefusedError('address_refused', 'x') }).receiverWell).toBeNull();
});

test('the default schedule takes about a day', () => {
  const waits = retryScheduleSchema.parse(DEFAULT_RETRY_SCHEDULE);
  const hours = waits.reduce((sum, wait) => sum + wait, 0) / HOUR;
  expect(waits[0]).toBe(5_000);
  expect(hours).toBeGreaterThan(24);
  expect(hours).toBeLessThan(27);
  expect(waits).toEqual(waits.toSorted((one, other) => one - other));
});

test.each(['', '5', 'soon', '5s,', '-5s', '5d', '1s '.repeat(3)])('"%s" is not a schedule', (text) => {
  expect(retryScheduleSchema.safeParse(text).success).toBe(false);
});

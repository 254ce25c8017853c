import { expect, test } from '@jest/globals';
import { OutcomeUnknownError } from '@turnpike/contract';
import { EgressRefusedError, EgressUnreachableError, type EgressResponse } from '@turnpike/egress';
import { retryWait } from './retry-wait.ts';

const now = Date.parse('2026-01-15T12:00:00Z');
const response = (status: number, retryAfter?: string): { response: EgressResponse } => ({
  response: {
    status,
    headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
    body: new Uint8Array(),
    truncated: false,
    bodyEnd: 'complete',
  },
});

test.each([200, 204, 301, 400, 401, 404, 409, 422])('a %i is not retried', (status) => {
  expect(retryWait(response(status), 1, now)).toBeNull();
});

test.each([408, 425, 429, 500, 502, 503, 504])(
  'after a %i the next try waits a little, and no two alike',
  (status) => {
    const waits = Array.from({ length: 50 }, () => retryWait(response(status), 1, now) ?? -1);
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(250);
    }
    expect(new Set(waits).size).toBeGreaterThan(1);
  },
);

test.each([
  ['seconds', '3', 3_000],
  ['a date', 'Thu, 15 Jan 2026 12:00:04 GMT', 4_000],
  ['the longest that is waited', '5', 5_000],
])('a Retry-After is honoured: %s', (_, value, wait) => {
  expect(retryWait(response(503, value), 1, now)).toBe(wait);
});

test.each(['6', '86400', 'Thu, 15 Jan 2026 13:00:00 GMT', '99999999999999999999'])(
  'a tool that asks to be left alone for long is not tried again: %s',
  (value) => {
    expect(retryWait(response(429, value), 1, now)).toBeNull();
  },
);

test.each(['', 'soon', '-1', '0', 'Thu, 15 Jan 2026 11:00:00 GMT'])(
  'a Retry-After that asks for nothing changes nothing: "%s"',
  (value) => {
    expect(retryWait(response(503, value), 1, now)).toBeLessThanOrEqual(250);
  },
);

test('a missing connection or response is retried; a refusal is not', () => {
  const gone = new EgressUnreachableError('connect_failed', 'no');
  expect(retryWait({ failure: gone }, 2, now)).toBeLessThanOrEqual(500);
  expect(retryWait({ failure: new OutcomeUnknownError('connection_lost', 'no') }, 1, now)).not.toBeNull();
  expect(retryWait({ failure: new EgressRefusedError('address_refused', 'no') }, 1, now)).toBeNull();
  expect(retryWait({ failure: new Error('a bug') }, 1, now)).toBeNull();
});

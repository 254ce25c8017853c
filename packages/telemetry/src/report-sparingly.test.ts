import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { reportSparingly } from './report-sparingly.ts';

interface Reported {
  message: string;
  error: unknown;
  suppressed?: number;
}

let reported: Reported[];
let report: ReturnType<typeof reportSparingly>;
beforeEach(() => {
  jest.useFakeTimers();
  reported = [];
  report = reportSparingly((message, fields) => void reported.push({ message, ...fields }), 1_000);
});
afterEach(() => {
  jest.useRealTimers();
});

test('the first error of a kind is reported at once; repetitions are counted and reported once per window', () => {
  const warn = report('A pass failed.');
  for (let time = 0; time < 30; time += 1) {
    for (let each = 0; each < 100; each += 1) warn(new Error(`no answer from 10.0.0.${each}:6379`));
    jest.advanceTimersByTime(100);
  }
  expect(reported.map(({ suppressed }) => suppressed)).toEqual([undefined, 999, 1_000, 1_000]);
});

test('repetitions are reported when the window ends', () => {
  const warn = report('A pass failed.');
  warn(new Error('a'));
  warn(new Error('a'));
  jest.advanceTimersByTime(1_000);
  expect(reported.map(({ suppressed }) => suppressed)).toEqual([undefined, 1]);
  // After a window without errors, the next one is reported at once.
  jest.advanceTimersByTime(1_000);
  warn(new Error('a'));
  expect(reported).toHaveLength(3);
  expect(jest.getTimerCount()).toBe(1);
});

test('errors with another message, code or cause are of another kind', () => {
  const caused = (cause: string): Error => new Error('away', { cause: new Error(cause) });
  report('A pass failed.')(caused('refused'));
  report('A pass failed.')(caused('reset'));
  report('A dispatch failed.')(caused('refused'));
  report('A dispatch failed.')(Object.assign(new Error('away'), { code: 'ECONNREFUSED' }));
  expect(reported).toHaveLength(4);
});

test('the number of remembered kinds and of reports is bounded', () => {
  const words = Array.from({ length: 1_000 }, (_, number) =>
    number.toString(26).replaceAll(/\d/g, (it) => 'qrstuvwxyz'[Number(it)] ?? ''),
  );
  for (const word of words) report('Strange.')(new Error(`error ${word}`));
  expect(reported.length).toBeLessThanOrEqual(201);
});

test('an error that is its own cause is reported like any other', () => {
  const error = new Error('round');
  error.cause = error;
  report('Strange.')(error);
  expect(reported).toEqual([{ message: 'Strange.', error }]);
});

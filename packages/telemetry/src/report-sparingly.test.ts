import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { reportSparingly } from './report-sparingly.ts';

interface Told {
  message: string;
  error: unknown;
  suppressed?: number;
}

let told: Told[];
let report: ReturnType<typeof reportSparingly>;
beforeEach(() => {
  jest.useFakeTimers();
  told = [];
  report = reportSparingly((message, fields) => void told.push({ message, ...fields }), 1_000);
});
afterEach(() => {
  jest.useRealTimers();
});

test('the first of a kind is told at once; what repeats it is counted, and told once in a while', () => {
  const warn = report('A pass failed.');
  for (let time = 0; time < 30; time += 1) {
    for (let each = 0; each < 100; each += 1) warn(new Error(`no answer from 10.0.0.${each}:6379`));
    jest.advanceTimersByTime(100);
  }
  expect(told.map(({ suppressed }) => suppressed)).toEqual([undefined, 999, 1_000, 1_000]);
});

test('a number that is not over yet is told when its time is up', () => {
  const warn = report('A pass failed.');
  warn(new Error('a'));
  warn(new Error('a'));
  jest.advanceTimersByTime(1_000);
  expect(told.map(({ suppressed }) => suppressed)).toEqual([undefined, 1]);
  // Whoever falls silent is told at once the next time.
  jest.advanceTimersByTime(1_000);
  warn(new Error('a'));
  expect(told).toHaveLength(3);
  expect(jest.getTimerCount()).toBe(1);
});

test('other messages, errors and causes are other kinds', () => {
  const caused = (cause: string): Error => new Error('away', { cause: new Error(cause) });
  report('A pass failed.')(caused('refused'));
  report('A pass failed.')(caused('reset'));
  report('A dispatch failed.')(caused('refused'));
  report('A dispatch failed.')(Object.assign(new Error('away'), { code: 'ECONNREFUSED' }));
  expect(told).toHaveLength(4);
});

test('however many kinds there are, what is remembered is bounded, and what is told too', () => {
  const words = Array.from({ length: 1_000 }, (_, number) =>
    number.toString(26).replaceAll(/\d/g, (it) => 'qrstuvwxyz'[Number(it)] ?? ''),
  );
  for (const word of words) report('Strange.')(new Error(`error ${word}`));
  expect(told.length).toBeLessThanOrEqual(201);
});

test('an error that is its own cause is a kind like others', () => {
  const error = new Error('round');
  error.cause = error;
  report('Strange.')(error);
  expect(told).toEqual([{ message: 'Strange.', error }]);
});

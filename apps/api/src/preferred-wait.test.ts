import { expect, test } from '@jest/globals';
import { preferredWait } from './preferred-wait.ts';

test.each([
  ['wait=30', 30],
  ['wait=0', 0],
  ['Wait=5', 5],
  [' wait = 7 ', 7],
  ['wait="12"', 12],
  ['respond-async, wait=10', 10],
  ['respond-async,wait=10,handling=lenient', 10],
  ['wait=10; precise', 10],
  ['wait=3, wait=9', 3],
])('`Prefer: %s` is a wait of %i seconds', (header, seconds) => {
  expect(preferredWait(header, 60)).toBe(seconds);
});

test('a wait above the maximum is the maximum', () => {
  expect(preferredWait('wait=61', 60)).toBe(60);
  expect(preferredWait('wait=999999', 60)).toBe(60);
});

test.each([
  undefined,
  '',
  'wait',
  'wait=',
  'wait=soon',
  'wait=-1',
  'wait=1.5',
  'wait=5s',
  'await=5',
  'no-wait=5',
  'respond-async',
  `wait=${'9'.repeat(400)}`,
])('`Prefer: %s` is no wait', (header) => {
  expect(preferredWait(header, 60)).toBeUndefined();
});

test('a long header is parsed in linear time', () => {
  const began = performance.now();
  expect(preferredWait(`wait${' '.repeat(16_000)}=${' '.repeat(16_000)}x`, 60)).toBeUndefined();
  expect(preferredWait(', '.repeat(16_000), 60)).toBeUndefined();
  expect(preferredWait(`,${' '.repeat(16_000)}`.repeat(2), 60)).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(5_000);
});

import { expect, test } from '@jest/globals';
import { linearPattern } from './linear-pattern.ts';

test.each([
  [String.raw`^[\w-.]+$`, 'a-b.c', true],
  [String.raw`^\d{3}-\d{4}$`, '555-1234', true],
  [String.raw`^\u0041+$`, 'AAA', true],
  [String.raw`^\p{L}+$`, 'Zürich', true],
  [String.raw`\/v1\/`, '/v1/turns', true],
  ['^(?<year>[0-9]{4})$', '2026', true],
  ['b', 'abc', true],
  ['^b', 'abc', false],
  ['^$', '', true],
])('%s is read as JSON Schema means it', (pattern, text, matches) => {
  expect(linearPattern(pattern).test(text)).toBe(matches);
});

test.each(['^(?!a)', '(?=a)', '(?<=a)b', String.raw`(a)\1`, 'a{1,2000}', '(', 'a'.repeat(2_001)])(
  'what cannot be done in linear time is refused: %s',
  (pattern) => {
    expect(() => linearPattern(pattern)).toThrow(/cannot be used|longer than/);
  },
);

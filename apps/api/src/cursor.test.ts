import { expect, test } from '@jest/globals';
import { decodePosition, encodePosition, pageOf } from './cursor.ts';

test.each([[[0]], [[7, 0]], [[999_999_999, 12, 3]]])(
  'a position of %j is the same after a round trip',
  (numbers) => {
    const cursor = encodePosition(numbers);
    expect(decodePosition(cursor, numbers.length)).toEqual(numbers);
    expect(encodeURIComponent(cursor)).toBe(cursor);
  },
);

test.each(['', '.', '1', '1.2.3', '-1.2', '01.2', '1.2 ', '1e3.2', '1.0x2', '1.9999999999', 'NaN.1'])(
  'a cursor of "%s" is not a position of two numbers',
  (text) => {
    const cursor = Buffer.from(text).toString('base64url');
    expect(() => decodePosition(cursor, 2)).toThrow(expect.objectContaining({ code: 'invalid_cursor' }));
  },
);

test('a page has a cursor where one more item was found, and none on the last', () => {
  const cursorOf = (item: string): string => `after ${item}`;
  expect(pageOf(['a', 'b', 'c'], 2, cursorOf)).toEqual({
    object: 'list',
    items: ['a', 'b'],
    next_cursor: 'after b',
  });
  expect(pageOf(['a', 'b'], 2, cursorOf).next_cursor).toBeNull();
  expect(pageOf([], 2, cursorOf)).toEqual({ object: 'list', items: [], next_cursor: null });
});

import { expect, test } from '@jest/globals';
import { encodeParts } from './encode-parts.ts';

test('Different lists of parts never have the same bytes, wherever their boundaries are.', () => {
  const lists = [
    [],
    [''],
    ['', ''],
    ['ab'],
    ['a', 'b'],
    ['ab', ''],
    ['', 'ab'],
    ['a', 'b', ''],
    ['a\0b'],
    ['\0\0\0\u0004', 'a'],
    ['é'],
    ['e\u0301'],
    ['\ud800'],
    ['\ud801'],
    ['\ufffd'],
  ];
  const encoded = new Set(lists.map((parts) => encodeParts(...parts).toString('hex')));
  expect(encoded.size).toBe(lists.length);
});

test('Each part is preceded by its length in bytes, big-endian.', () => {
  expect(encodeParts('a', '').toString('hex')).toBe('00000002610000000000');
});

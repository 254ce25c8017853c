import { expect, test } from '@jest/globals';
import { explainPath, foldersOf, isInside, normalPath } from './memory-path.ts';

test.each([
  '/memories',
  '/memories/notes.txt',
  '/memories/a/b/c.md',
  '/memories/My notes (1).txt',
  '/memories/.hidden',
  '/memories/...',
  '/memories/100%',
  '/memories/größe/日本.txt',
])('%s is a path', (path) => {
  expect(explainPath(path)).toBeNull();
});

test.each([
  '',
  '/',
  'memories/a',
  '/memoriesx/a',
  '/etc/passwd',
  '//memories/a',
  '/memories//a',
  '/memories/../etc/passwd',
  '/memories/a/../../etc/passwd',
  '/memories/..',
  '/memories/./a',
  '/memories/a/.',
  '/memories/%2e%2e/etc/passwd',
  '/memories/..%2fetc',
  '/memories/%2E%2E%2Fetc',
  '/memories/%252e%252e',
  '/memories/a%00b',
  '/memories/a%5cb',
  '/memories/..\\..\\etc',
  '\\memories\\a',
  '/memories/a\0.txt',
  '/memories/a\nb',
  '/memories/a\u202Eb',
  '/memories/\uD800',
  '/memories/ ',
  '/memories/a ',
  `/memories/${'x'.repeat(600)}`,
  'file:///memories/a',
  'C:/memories/a',
])('%j is refused', (path) => {
  expect(explainPath(path)).toMatch(/^Error: The path/);
});

test('a slash at the end of a folder’s path is ignored', () => {
  expect(normalPath('/memories/a/')).toBe('/memories/a');
  expect(normalPath('/memories/')).toBe('/memories');
  expect(explainPath(normalPath('/memories/a//'))).not.toBeNull();
});

test('a path is inside its folders, and not inside one with a similar name', () => {
  expect(foldersOf('/memories/a/b/c.txt')).toEqual(['/memories/a', '/memories/a/b']);
  expect(foldersOf('/memories/c.txt')).toEqual([]);
  expect(isInside('/memories/a/b', '/memories/a')).toBe(true);
  expect(isInside('/memories/ab', '/memories/a')).toBe(false);
});

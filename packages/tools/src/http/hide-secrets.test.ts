import { expect, test } from '@jest/globals';
import { hideSecrets } from './hide-secrets.ts';

const value = 'Bearer tok+en/1234';

test.each([
  ['as it is', value],
  ['without its scheme', 'tok+en/1234'],
  ['URL-encoded', encodeURIComponent(value)],
  ['as a form field', new URLSearchParams({ '': value }).toString().slice(1)],
  ['in base64', Buffer.from(value).toString('base64')],
  ['in base64url', Buffer.from(value).toString('base64url')],
  ['JSON-escaped', JSON.stringify(value).slice(1, -1)],
])('a value is hidden %s', (_, form) => {
  const clean = hideSecrets(`before ${form} after`, [value], false);
  expect(clean).toMatch(/^before (Bearer )?\[secret\](=*) after$/);
});

test('values that overlap are hidden as a whole', () => {
  expect(hideSecrets('xabcdefghix', ['abcdef', 'defghi'], false)).toBe('x[secret]x');
  expect(hideSecrets('abababab', ['abab'], false)).toBe('[secret]');
});

test('a short value is hidden only as it is', () => {
  expect(hideSecrets('pin 1234, MTIzNA', ['1234'], false)).toBe('pin [secret], MTIzNA');
  expect(hideSecrets('nothing to hide', [''], false)).toBe('nothing to hide');
});

test('the beginning of a value at the end of a truncated text is hidden', () => {
  expect(hideSecrets('key: abcdefg', ['abcdefghij'], true)).toBe('key: [secret]');
  expect(hideSecrets('key: abcdefg', ['abcdefghij'], false)).toBe('key: abcdefg');
  expect(hideSecrets('cab', ['abcdefghij'], true)).toBe('cab');
});

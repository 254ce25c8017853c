import { format, inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { scrub } from './hidden-values.ts';
import { Secret } from './secret.ts';

const VALUE = 'correct-horse-battery';

test('a secret is hidden in every kind of output', () => {
  const secret = new Secret(VALUE);
  const printed = [
    String(secret),
    `<${secret as unknown as string}>`,
    ['a', secret].join(''),
    'a'.concat(secret as unknown as string),
    'a' + (secret as unknown as string),
    JSON.stringify(secret),
    JSON.stringify({ deep: [{ secret }] }),
    inspect(secret),
    inspect({ deep: [{ secret }] }, { showHidden: true, depth: 20, getters: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    JSON.stringify(Object.assign({}, secret)),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(structuredClone(secret)),
  ];
  for (const print of printed) expect(print).not.toContain('horse');
  expect(printed.slice(0, 6)).toEqual([
    '[secret]',
    '<[secret]>',
    'a[secret]',
    'a[secret]',
    'a[secret]',
    '"[secret]"',
  ]);
});

test('a secret is revealed only by reveal()', () => {
  expect(new Secret(VALUE).reveal()).toBe(VALUE);
});

test('two secrets are equal when their values are', () => {
  expect(new Secret(VALUE).equals(new Secret(VALUE))).toBe(true);
  expect(new Secret(VALUE).equals(new Secret(`${VALUE}!`))).toBe(false);
  expect(new Secret(VALUE).equals(new Secret('Correct-horse-battery'))).toBe(false);
  expect(new Secret('').equals(new Secret(''))).toBe(true);
});

test('a secret’s value is scrubbed from log lines', () => {
  const secret = new Secret('made-just-now-4711');
  expect(scrub(`so: ${secret.reveal()}.`)).toBe('so: [secret].');
});

test.each(['', 'short', '\ud800 half a pair', 'ünï'.repeat(10), '\0\n"'.repeat(4)])(
  'any text can be a secret, such as %j',
  (value) => {
    expect(new Secret(value).reveal()).toBe(value);
  },
);

import { expect, test } from '@jest/globals';
import { parseAddressList } from './address-list.ts';

test.each([
  ['127.0.0.1', '127.0.0.1', 80, true],
  ['127.0.0.1', '127.0.0.2', 80, false],
  ['127.0.0.1', '::ffff:127.0.0.1', 80, true],
  ['::ffff:127.0.0.1', '127.0.0.1', 80, true],
  ['127.0.0.1:4010', '127.0.0.1', 4010, true],
  ['127.0.0.1:4010', '127.0.0.1', 4011, false],
  ['10.0.0.0/8', '10.255.0.1', 1, true],
  ['10.0.0.0/8', '11.0.0.0', 1, false],
  ['10.0.0.0/8', '::ffff:10.1.1.1', 1, true],
  ['0.0.0.0/0', '::1', 1, false],
  ['::1', '::1', 1, true],
  ['::1', '0:0:0:0:0:0:0:1', 1, true],
  ['[::1]:80', '::1', 80, true],
  ['[::1]:80', '::1', 81, false],
  ['fd00::/8', 'fd12::1', 1, true],
  ['fd00::/8', 'fe80::1', 1, false],
  ['::/0', '127.0.0.1', 1, false],
  ['localhost', '127.0.0.1', 80, false],
])('%s and the address %s at port %i: %s', (entry, address, port, expected) => {
  expect(parseAddressList([entry]).hasAddress(address, port)).toBe(expected);
});

test.each([
  ['localhost', 'localhost', 80, true],
  ['LocalHost', 'localhost', 80, true],
  ['localhost', 'localhost.', 80, true],
  ['localhost.', 'localhost', 80, true],
  ['localhost:80', 'localhost', 81, false],
  ['example.com', 'evil.example.com', 80, false],
  ['example.com', 'notexample.com', 80, false],
  ['example.com', 'example.com.evil', 80, false],
  ['127.0.0.1', '127.0.0.1', 80, false],
])('%s and the name %s at port %i: %s', (entry, name, port, expected) => {
  expect(parseAddressList([entry]).hasName(name, port)).toBe(expected);
});

test.each([
  '',
  ' ',
  '10.0.0.0/33',
  '10.0.0/8',
  '::1/129',
  '[::1',
  '::1]',
  '[localhost]',
  'a b',
  'a:0',
  'a:65536',
  'a:b',
  'http://a',
  'a/b',
  '*',
])('the entry "%s" is rejected, and the error names it', (entry) => {
  expect(() => parseAddressList(['localhost', entry])).toThrow(TypeError);
  expect(() => parseAddressList(['localhost', entry])).toThrow(`"${entry}" is not`);
});

test('an empty list matches nothing', () => {
  const list = parseAddressList([]);
  expect(list.hasAddress('127.0.0.1', 80) || list.hasName('localhost', 80)).toBe(false);
});

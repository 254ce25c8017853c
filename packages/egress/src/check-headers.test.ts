import { expect, test } from '@jest/globals';
import { checkHeaders } from './check-headers.ts';
import { EgressRefusedError } from './errors.ts';

test('names are sent in lower case, values unchanged', () => {
  expect(
    checkHeaders({ 'X-Thing': ' a\tb ', Authorization: 'Bearer x', 'x-latin': 'gr\xfc\xdfe', 'x-empty': '' }),
  ).toEqual({
    'x-thing': ' a\tb ',
    authorization: 'Bearer x',
    'x-latin': 'gr\xfc\xdfe',
    'x-empty': '',
  });
});

test.each([
  'Host',
  'HOST',
  'Connection',
  'Keep-Alive',
  'Proxy-Authenticate',
  'Proxy-Authorization',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'transfer-encoding',
  'Content-Length',
  'Upgrade',
  'Expect',
  'Via',
  'HTTP2-Settings',
  'Accept-Encoding',
])('%s is refused, because only the HTTP client sets it', (name) => {
  expect(() => checkHeaders({ [name]: '1' })).toThrow(`The header ${name.toLowerCase()} cannot be set.`);
});

test.each([
  '',
  ' ',
  'a b',
  'host ',
  ' host',
  'host:',
  'a\r\nhost',
  'a\nb',
  'a\0',
  'ho\tst',
  'ünï',
  'hoſt',
  'a(b)',
  'a'.repeat(129),
])('the name %j is refused, and the error does not contain it', (name) => {
  expect(() => checkHeaders({ [name]: '1' })).toThrow('A header name is not valid.');
});

test.each([
  'a\r\nhost: b',
  'a\nb',
  'a\rb',
  'a\0b',
  '\n',
  'a\r\n',
  '\x7f',
  '\x1b[0m',
  '€',
  '\u010d\u010a',
  'a\u2028b',
])('the value %j is refused, and the error does not contain it', (value) => {
  expect(() => checkHeaders({ 'x-a': value })).toThrow('The value of the header x-a is not valid.');
  expect(() => checkHeaders({ 'x-a': value })).toThrow(EgressRefusedError);
});

test('the number and the total length of headers are limited', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_none, index) => [`x-${index}`, 'a']));
  expect(Object.keys(checkHeaders(many(64)))).toHaveLength(64);
  expect(() => checkHeaders(many(65))).toThrow(EgressRefusedError);
  expect(() => checkHeaders({ 'x-a': 'a'.repeat(32_765) })).not.toThrow();
  expect(() => checkHeaders({ 'x-a': 'a'.repeat(32_766) })).toThrow(EgressRefusedError);
});

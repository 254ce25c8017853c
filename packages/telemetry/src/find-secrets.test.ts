import { expect, test } from '@jest/globals';
import { findSecrets, hideRanges, secretPatterns } from './find-secrets.ts';

const SECRET = 'sk-ant-api03/Q+7xY"é-zKw9_0aB~3 4\\tTqL8mNpR5';
const known = [secretPatterns(SECRET)];
const hide = (text: string, truncated = false): string =>
  hideRanges(text, findSecrets(text, known, truncated));

const wrapped = (text: string, width: number, by = '\n'): string =>
  text.replaceAll(new RegExp(`.{${width}}(?=.)`, 'g'), `$&${by}`);
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const inUnicode = (text: string): string =>
  text.replaceAll(/[^]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
const inPercents = (text: string): string =>
  Buffer.from(text)
    .toString('hex')
    .replaceAll(/../g, (byte) => `%${byte}`);
const bytes = Buffer.from(SECRET);

test.each([
  ['as it is', SECRET],
  ['in JSON', inJson(SECRET)],
  ['in JSON with escaped slashes', inJson(SECRET).replaceAll('/', '\\/')],
  ['in JSON as PHP and Python write it', inJson(SECRET).replaceAll('/', '\\/').replace('é', '\\u00e9')],
  ['in JSON in JSON', inJson(inJson(SECRET))],
  ['in JSON in JSON in JSON', inJson(inJson(inJson(SECRET)))],
  ['as Unicode escapes', inUnicode(SECRET)],
  ['as Unicode escapes in upper case', inUnicode(SECRET).toUpperCase().replaceAll('\\U', '\\u')],
  ['in a URL', encodeURIComponent(SECRET)],
  ['in a URL in lower case', encodeURIComponent(SECRET).replaceAll(/%../g, (escape) => escape.toLowerCase())],
  ['twice in a URL', encodeURIComponent(encodeURIComponent(SECRET))],
  ['three times in a URL', encodeURIComponent(encodeURIComponent(encodeURIComponent(SECRET)))],
  ['in a URL, each character', inPercents(SECRET)],
  ['in a form', new URLSearchParams({ '': SECRET }).toString().slice(1)],
  ['in a URL in JSON', inJson(encodeURIComponent(SECRET))],
  ['in JSON in a URL', encodeURIComponent(inJson(SECRET))],
  ['in HTML', SECRET.replaceAll('"', '&quot;')],
  ['in HTML as numbers', SECRET.replaceAll('"', '&#34;').replaceAll('/', '&#x2F;')],
  ['in base64', bytes.toString('base64')],
  ['in base64url', bytes.toString('base64url')],
  ['in base64 with line breaks', wrapped(bytes.toString('base64'), 20)],
  ['in base64 with line breaks in JSON', inJson(wrapped(bytes.toString('base64'), 16, '\r\n'))],
  ['in base64 in a URL', encodeURIComponent(bytes.toString('base64'))],
  ['in hexadecimal', bytes.toString('hex')],
  ['in hexadecimal in upper case', bytes.toString('hex').toUpperCase()],
  ['in hexadecimal, byte by byte', wrapped(bytes.toString('hex'), 2, ':')],
  ['in hexadecimal with line breaks', wrapped(bytes.toString('hex'), 16)],
  ['without its end', SECRET.slice(0, -6)],
  ['a long beginning of it', SECRET.slice(0, 24)],
  ['a long beginning of it in base64', bytes.toString('base64').slice(0, 40)],
])('a secret is found %s', (_, form) => {
  expect(hide(`before ${form} after`)).toMatch(/^before \[secret\]=* after$/);
});

test.each([0, 1, 2])('a secret is found in base64 with %i bytes before it', (before) => {
  const text = Buffer.from(`${'x'.repeat(before)}${SECRET}xyz`).toString('base64');
  expect(hide(text).replace('[secret]', '').length).toBeLessThan(12);
  expect(hide(text)).toContain('[secret]');
});

test('text that is not a secret stays as it is, whatever it looks like', () => {
  for (const text of [
    'sk-ant-api03',
    'a\\b\\u0041%41&amp; c',
    '100% of C:\\new\\table &#xffffff; &nbsp; %zz %',
    bytes.toString('base64').slice(0, 8),
    '',
  ]) {
    expect(hide(text)).toBe(text);
  }
});

test('a short value is found only unencoded', () => {
  const short = [secretPatterns('1+34')];
  expect(hideRanges('pin 1+34, MSszNA, 1+3', findSecrets('pin 1+34, MSszNA, 1+3', short))).toBe(
    'pin [secret], MSszNA, 1+3',
  );
});

test('the text around a secret stays', () => {
  expect(hide(`{"a":"1%202","key":"${inJson(SECRET)}","b":"\\u00e9"}`)).toBe(
    '{"a":"1%202","key":"[secret]","b":"\\u00e9"}',
  );
});

test('a short beginning of a secret is found at the end of a truncated text', () => {
  expect(hide(`key: ${SECRET.slice(0, 5)}`, true)).toBe('key: [secret]');
  expect(hide(`key: ${encodeURIComponent(SECRET).slice(0, 18)}`, true)).toBe('key: [secret]');
  expect(hide(`key: ${SECRET.slice(0, 5)}`)).toBe(`key: ${SECRET.slice(0, 5)}`);
});

test('a hostile text takes time in proportion to its length', () => {
  const hostile = [
    '%25'.repeat(100_000),
    '\\'.repeat(300_000),
    '&#38;'.repeat(60_000),
    SECRET.slice(0, 23).repeat(10_000),
  ];
  for (const text of hostile) expect(hide(text).length).toBeGreaterThan(0);
});

test('a repetitive value and text take time in proportion to their lengths', () => {
  const value = `${'a'.repeat(30_000)}b`;
  const find = (text: string, truncated: boolean): string =>
    hideRanges(text, findSecrets(text, [secretPatterns(value)], truncated));
  expect(find('a'.repeat(300_000), false)).toBe('[secret]');
  expect(find(`${'a'.repeat(300_000)}b`, true)).toBe('[secret]');
});

test('overlapping and adjacent secrets are hidden whole', () => {
  const hideIn = (text: string): string =>
    hideRanges(text, findSecrets(text, [secretPatterns('abcabcabcdxyz')]));
  expect(hideIn('-abcabcabcabcabcdxyz-')).toBe('-[secret]-');
  expect(hideIn('-abcabcabcdxyzabcabcabcdxyz-')).toBe('-[secret][secret]-');
  expect(hideIn('-abcabcabcdabcabcabcdxyz-')).toBe('-[secret][secret]-');
});

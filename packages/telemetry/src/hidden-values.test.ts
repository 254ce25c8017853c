import { expect, test } from '@jest/globals';
import { hideValue, scrub } from './hidden-values.ts';

const AWKWARD = 'p/w+1 "quoted" \\ (ü)!\n~x';

test.each([
  ['raw', AWKWARD],
  ['URL-encoded', encodeURIComponent(AWKWARD)],
  ['form-encoded', new URLSearchParams({ a: AWKWARD }).toString().slice(2)],
  ['in base64', Buffer.from(AWKWARD).toString('base64')],
  ['in base64 without padding', Buffer.from(AWKWARD).toString('base64').replace(/=+$/, '')],
  ['in base64url', Buffer.from(AWKWARD).toString('base64url')],
  ['JSON-escaped', JSON.stringify(AWKWARD).slice(1, -1)],
])('a hidden value is found %s, every time it occurs', (_form, written) => {
  hideValue(AWKWARD);
  const clean = scrub(`one ${written} two ${written}`);
  expect(clean).toMatch(/^one \[secret\]=* two \[secret\]=*$/);
});

test.each([
  ['begins with', 'abcdef-one', 'abcdef-one-and-more'],
  ['ends in', 'tail-of-two', 'front-tail-of-two'],
  ['holds', 'middle', 'in-the-middle-of'],
])('a value that %s another one is hidden with it, whichever was hidden first', (_how, inner, outer) => {
  for (const order of [
    [inner, outer],
    [outer, inner],
  ]) {
    for (const value of order) hideValue(value);
    expect(scrub(`<${outer}>`)).toBe('<[secret]>');
    expect(scrub(`<${inner}>`)).toBe('<[secret]>');
  }
});

test('secrets of the process itself stay hidden, however many secrets come after them', () => {
  hideValue('the-password-of-the-process', true);
  for (let number = 0; number < 12_000; number++) hideValue(`secret-of-tenant-${number}`);
  expect(scrub('It is the-password-of-the-process.')).toBe('It is [secret].');
});

test('a secret is hidden in hexadecimal, and in base64 at any offset of a longer text', () => {
  hideValue('a-secret-of-somebody');
  expect(scrub(Buffer.from('a-secret-of-somebody').toString('hex'))).toBe('[secret]');
  for (const before of ['', 'u', 'us', 'use']) {
    const basic = Buffer.from(`${before}a-secret-of-somebody:x`).toString('base64');
    expect(scrub(basic)).toContain('[secret]');
  }
});

test('overlapping and adjacent values are hidden whole', () => {
  hideValue('first-half');
  hideValue('half-second');
  expect(scrub('<first-half-second>')).toBe('<[secret]>');
  expect(scrub('<first-halfhalf-second>')).toBe('<[secret][secret]>');
});

test('a value that is part of the replacement text does not break it', () => {
  hideValue('secret');
  hideValue('value-next-to-it');
  expect(scrub('a value-next-to-it, a secret')).toBe('a [secret], a [secret]');
});

test('a value too short to be distinct from ordinary words is not hidden', () => {
  hideValue('short');
  expect(scrub('a short word')).toBe('a short word');
});

test.each([
  ['key sk-ant-api03-abcdefgh_IJKL-mnop.', 'key [secret].'],
  ['key=sk-ant-api03-abcdefgh', 'key=[secret]'],
  ['api_key%3Dsk-ant-api03-abcdefgh', 'api_key%3D[secret]'],
  ['KEY_sk-ant-api03-abcdefgh', 'KEY_[secret]'],
  ['tp_live_abcdefgh123 tp_dev_abcdefgh123', '[secret] [secret]'],
  ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=', '[secret]'],
  ['Authorization: Bearer abc.def-ghi~jkl=', 'Authorization: Bearer [secret]'],
  ['authorization: basic dXNlcjpwYXNz', 'authorization: basic [secret]'],
  ['postgres://me:hunter2@db:5432/x', 'postgres://me:[secret]@db:5432/x'],
  ['redis://:hunter2@cache', 'redis://:[secret]@cache'],
  ['https://example.com:443/a@b', 'https://example.com:443/a@b'],
  ['http_live_connections', 'http_live_connections'],
  ['the bearer of news', 'the bearer of news'],
])('hidden by its shape alone: %s', (text, clean) => {
  expect(scrub(text)).toBe(clean);
});

test.each([
  ['letters', 'a'.repeat(3_000_000)],
  ['schemes', 'a://'.repeat(500_000)],
  ['colons', 'a:'.repeat(1_000_000)],
  ['the word Bearer', 'Bearer '.repeat(300_000)],
  ['spaces after Bearer', `Bearer${' '.repeat(2_000_000)}`],
  ['key beginnings', 'sk-ant-'.repeat(300_000)],
])('a very long text of %s takes linear time', (_what, text) => {
  // In quadratic time this would take more than an hour.
  expect(typeof scrub(text)).toBe('string');
});

test('the newest values are hidden, however many there were', () => {
  hideValue('kept-because-it-is-renewed');
  for (let count = 0; count < 12_000; count += 1) {
    hideValue(`number-${count}-x`);
    if (count % 1_000 === 0) hideValue('kept-because-it-is-renewed');
  }
  expect(scrub('kept-because-it-is-renewed number-11999-x')).toBe('[secret] [secret]');
  expect(scrub('number-0-x')).toBe('number-0-x');
});

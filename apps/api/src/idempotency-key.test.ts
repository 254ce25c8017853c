import { expect, test } from '@jest/globals';
import { ProblemError } from '@turnpike/contract';
import { fingerprintOf, parseIdempotencyKey } from './idempotency-key.ts';

test.each([
  ['a', 'a'],
  ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
  ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
  ['turn:1/2~!@#$%^&*()', 'turn:1/2~!@#$%^&*()'],
  ['"half', '"half'],
  ['k'.repeat(255), 'k'.repeat(255)],
  [`"${'k'.repeat(255)}"`, 'k'.repeat(255)],
])('the key of `Idempotency-Key: %s` is %s', (header, key) => {
  expect(parseIdempotencyKey(header)).toBe(key);
});

test.each(['', '""', ' ', 'a b', 'a\tb', 'a, b', 'a\0', 'é', '\x7f', 'k'.repeat(256)])(
  'a header of %j is refused as a key',
  (header) => {
    expect(() => parseIdempotencyKey(header)).toThrow(ProblemError);
    expect(() => parseIdempotencyKey(header)).toThrow(
      expect.objectContaining({ code: 'invalid_idempotency_key' }),
    );
  },
);

test('different bodies have different fingerprints, an absent one too', () => {
  const bodies = [undefined, null, {}, { a: 1 }, { a: '1' }, { a: [1] }, { b: 1 }];
  const fingerprints = bodies.map((body) => fingerprintOf(body).toString('hex'));
  expect(new Set(fingerprints).size).toBe(bodies.length);
  expect(fingerprintOf({ a: 1 })).toEqual(fingerprintOf({ a: 1 }));
});

import { expect, test } from '@jest/globals';
import { ResponseMemory } from './response-memory.ts';

const KIB = 1024;

test('a response may be as large as its max_tokens can make it, and no larger', () => {
  const meter = new ResponseMemory().open('a', 1_000);
  meter.take(400 * KIB);
  expect(() => meter.take(200 * KIB)).toThrow(expect.objectContaining({ code: 'model_response_too_large' }));
});

test('all responses of a tenant together have a bound, and one of all tenants; what is over counts no more', () => {
  const memory = new ResponseMemory({ ofTenant: 300 * KIB, ofAll: 500 * KIB });
  const [one, two, other] = ['a', 'a', 'b'].map((tenant) => memory.open(tenant, 10_000));
  one?.take(200 * KIB);
  expect(() => two?.take(200 * KIB)).toThrow(expect.objectContaining({ code: 'model_busy' }));
  expect(() => other?.take(200 * KIB)).toThrow(expect.objectContaining({ code: 'model_busy' }));
  two?.close();
  other?.take(50 * KIB);
  one?.close();
  other?.close();
  memory.open('c', 10_000).take(300 * KIB);
});

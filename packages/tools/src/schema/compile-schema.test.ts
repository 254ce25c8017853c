import { expect, test } from '@jest/globals';
import { compileSchema } from './compile-schema.ts';
import { createRunWithin } from './run-within.ts';

test('a compiler that was stopped in its work, whenever that was, leaves nothing behind that breaks the next one', () => {
  const runWithin = createRunWithin();
  const schema = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] };
  let stopped = 0;
  for (let limitMs = 1; limitMs < 2_000; limitMs += 4) {
    try {
      runWithin(limitMs, () => compileSchema(schema));
      break;
    } catch {
      stopped += 1;
    }
  }
  expect(stopped).toBeGreaterThan(0);
  expect(compileSchema(schema)({ city: 'Lisbon' })).toBe(true);
});

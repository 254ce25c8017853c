import { expect, test } from '@jest/globals';
import { newId, type InputSchema } from '@turnpike/contract';
import { InputSchemas } from './input-schemas.ts';
import { TimeShares } from './time-shares.ts';

const tenant = newId('tenant');
const person: InputSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 5 },
    mail: { type: 'string', format: 'email' },
    role: { enum: ['admin', 'guest'] },
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['name'],
  additionalProperties: false,
};

const explain = (schema: InputSchema, input: unknown, schemas = new InputSchemas()): string | null =>
  schemas.explain(tenant, schema, input);

test('an input that fits is left as it is', () => {
  const input = { name: 'Ada', mail: 'ada@a.example', role: 'admin', tags: ['x'] };
  const before = structuredClone(input);
  expect(explain(person, input)).toBeNull();
  expect(input).toEqual(before);
});

test('every mistake is told with its path', () => {
  const input = { mail: 'no', role: 'king', tags: ['x', 1], extra: true };
  expect(explain(person, input)?.split('; ').toSorted()).toEqual([
    "Invalid input: input: must have required property 'name'",
    'input: must NOT have additional properties (extra)',
    'mail: must match format "email"',
    'role: must be equal to one of the allowed values (["admin","guest"])',
    'tags.1: must be string',
  ]);
  expect(explain(person, 'Ada')).toBe('Invalid input: input: must be object');
});

test('what is told is bounded', () => {
  const input = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n}${'x'.repeat(1_000)}`, n]));
  expect(explain(person, input)?.length).toBeLessThanOrEqual(4_000);
});

test('what every object inherits was not given', () => {
  const schema: InputSchema = {
    type: 'object',
    required: ['toString'],
    properties: { toString: { type: 'string' } },
  };
  expect(explain(schema, {})).toContain("must have required property 'toString'");
  expect(explain({ ...schema, required: [] }, {})).toBeNull();
});

test('a schema that cannot be used is said to be so, and nothing is thrown', () => {
  expect(explain({ type: 'object', properties: { a: { type: 'strin' } } }, {})).toContain(
    'Its schema is not valid',
  );
  expect(explain({ type: 'object', allOf: [{ $ref: '#' }] }, {})).toContain('nested too deeply');
});

test('no schema is seen by another, also where both have the same id', () => {
  const schemas = new InputSchemas();
  const named = (type: string): InputSchema => ({
    type: 'object',
    properties: { a: { $id: 'https://a.example/a', type } },
  });
  expect(explain(named('string'), { a: 'x' }, schemas)).toBeNull();
  expect(explain(named('number'), { a: 1 }, schemas)).toBeNull();
  const spy: InputSchema = { type: 'object', properties: { a: { $ref: 'https://a.example/a' } } };
  expect(explain(spy, { a: 'x' }, schemas)).toContain("can't resolve reference");
});

test('a pattern that would take for ever is stopped, and the next tenant is served', () => {
  const schemas = new InputSchemas(new TimeShares({ capacityMs: 200 }));
  const hostile: InputSchema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
  const input = { a: `${'a'.repeat(100)}!` };
  expect(explain(hostile, input, schemas)).toContain('takes too long');
  expect(explain(hostile, input, schemas)).toContain('takes too long');
  expect(schemas.explain(newId('tenant'), person, { name: 'Ada' })).toBeNull();
});

import { afterAll, expect, test } from '@jest/globals';
import { newId, type InputSchema } from '@turnpike/contract';
import { ENDLESS_SCHEMA } from '../../../../tests/support/hostile-schemas.ts';
import { InputSchemas } from './input-schemas.ts';

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

const fail = (error: unknown): never => {
  throw error;
};
const schemas = new InputSchemas(fail);
afterAll(() => schemas.close());

const explain = (schema: InputSchema, input: unknown): Promise<string | null> =>
  schemas.explain(tenant, schema, input);

test('a valid input has no explanation', async () => {
  const input = { name: 'Ada', mail: 'ada@a.example', role: 'admin', tags: ['x'] };
  const before = structuredClone(input);
  expect(await explain(person, input)).toBeNull();
  expect(input).toEqual(before);
});

test('every mistake is explained with its path', async () => {
  const input = { mail: 'no', role: 'king', tags: ['x', 1], extra: true };
  expect((await explain(person, input))?.split('; ').toSorted()).toEqual([
    "Invalid input: input: must have required property 'name'",
    'input: must NOT have additional properties (extra)',
    'mail: must match format "email"',
    'role: must be equal to one of the allowed values (["admin","guest"])',
    'tags.1: must be string',
  ]);
  expect(await explain(person, 'Ada')).toBe('Invalid input: input: must be object');
});

test('an explanation is bounded', async () => {
  const input = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n}${'x'.repeat(1_000)}`, n]));
  expect((await explain(person, input))?.length).toBeLessThanOrEqual(4_000);
});

test('inherited properties count as missing', async () => {
  const schema: InputSchema = {
    type: 'object',
    required: ['toString'],
    properties: { toString: { type: 'string' } },
  };
  expect(await explain(schema, {})).toContain("must have required property 'toString'");
  expect(await explain({ ...schema, required: [] }, {})).toBeNull();
});

test('a schema that cannot be used is explained, and nothing is thrown', async () => {
  expect(await explain({ type: 'object', properties: { a: { type: 'strin' } } }, {})).toContain(
    'Its schema is not valid',
  );
  expect(await explain({ type: 'object', allOf: [{ $ref: '#' }] }, {})).toContain('nested too deeply');
});

test('schemas do not see each other, even with the same id', async () => {
  const named = (type: string): InputSchema => ({
    type: 'object',
    properties: { a: { $id: 'https://a.example/a', type } },
  });
  expect(await explain(named('string'), { a: 'x' })).toBeNull();
  expect(await explain(named('number'), { a: 1 })).toBeNull();
  const spy: InputSchema = { type: 'object', properties: { a: { $ref: 'https://a.example/a' } } };
  expect(await explain(spy, { a: 'x' })).toContain("can't resolve reference");
});

test('a pattern that a backtracking engine could not finish is matched at once', async () => {
  const schema: InputSchema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
  expect(await explain(schema, { a: `${'a'.repeat(1_000)}!` })).toContain('must match pattern');
});

function nested(levels: number): unknown {
  let value: unknown = {};
  for (let level = 0; level < levels; level += 1) value = { a: value };
  return value;
}

test('an input that is nested too deeply is explained, and nothing is thrown', async () => {
  const node: InputSchema = { type: 'object', properties: { a: { $ref: '#' } } };
  expect(await explain(node, nested(30_000))).toContain('nested too deeply');
});

test('a check that would never end is stopped, is not tried again, and delays no other tenant', async () => {
  const hostile = newId('tenant');
  const started = performance.now();
  const checks = Array.from({ length: 400 }, () => schemas.explain(hostile, ENDLESS_SCHEMA, nested(60)));
  // The event loop of this thread is free meanwhile.
  expect(await schemas.explain(newId('tenant'), person, { name: 'Ada' })).toBeNull();
  for (const explanation of await Promise.all(checks)) expect(explanation).toContain('takes too long');
  // One of them was tried, for half a second.
  expect(performance.now() - started).toBeLessThan(60_000);
  // What it stopped is stopped for it alone, and its other tools go on.
  expect(await schemas.explain(newId('tenant'), ENDLESS_SCHEMA, {})).toBeNull();
  expect(await schemas.explain(hostile, person, { name: 'Ada' })).toBeNull();
});

test('a tenant that has used up its time is refused, and others are not', async () => {
  // One check that never ends uses up this share, on any machine.
  const strict = new InputSchemas(fail, { shareMs: 200 });
  try {
    const hostile = newId('tenant');
    await strict.explain(hostile, ENDLESS_SCHEMA, nested(60));
    expect(await strict.explain(hostile, person, { name: 'Ada' })).toContain('takes too long');
    expect(await strict.explain(newId('tenant'), person, { name: 'Ada' })).toBeNull();
  } finally {
    await strict.close();
  }
});

import { expect, test } from '@jest/globals';
import {
  initialValue,
  kindOf,
  problemOf,
  requiredOf,
  resolveSchema,
  type Schema,
} from '../../apps/console/src/parts/schema-form/form-schema.ts';

/* What a form begins with and how much of it there is. Schemas come from MCP servers, too: nothing in them is certain. */

const begin = (schema: Schema): unknown => initialValue(schema, { root: schema, depth: 0, isRequired: true });
const kind = (schema: Schema, value?: unknown): string =>
  kindOf(schema, { root: schema, depth: 0 }, value).kind;
const object = (properties: Record<string, unknown>, more: object = {}): Schema => ({
  type: 'object',
  properties,
  ...more,
});

test('what may be null and is given nothing is null where it must be there, and else left out', () => {
  const nullable = { type: ['string', 'null'], default: null };
  const union = { anyOf: [{ type: 'string' }, { type: 'null' }], default: null };
  expect(begin(object({ one: nullable, other: union }))).toEqual({});
  expect(begin(object({ one: nullable, other: union }, { required: ['one', 'other'] }))).toEqual({
    one: null,
    other: null,
  });
});

test('a default that the field cannot show is not sent', () => {
  const properties = {
    day: { type: 'string', format: 'date', default: 'tomorrow' },
    count: { type: 'integer', default: '7' },
    colour: { enum: ['red', 'blue'], default: 'green' },
    some: { type: 'array', items: { enum: [1, 2] }, default: [1, 3] },
    part: { ...object({ a: { type: 'string' } }), default: { a: 'x', hidden: 'y' } },
    text: { type: 'string', default: 'two\nlines' },
  };
  expect(begin(object(properties))).toEqual({ some: [1], part: { a: 'x' }, text: 'two\nlines' });
});

test('a list that must be there begins with the items that it must have', () => {
  const tags = { type: 'array', items: { type: 'string' }, minItems: 2 };
  const several = { type: 'array', items: { enum: ['a', 'b'] } };
  expect(begin(object({ tags, several }))).toEqual({});
  expect(begin(object({ tags, several }, { required: ['tags', 'several'] }))).toEqual({
    tags: [undefined, undefined],
    several: [],
  });
});

test('what is required may follow from a value', () => {
  const schema = object(
    { action: { enum: ['accept', 'decline'] }, content: object({ name: { type: 'string' } }) },
    {
      required: ['action'],
      if: { properties: { action: { const: 'accept' } } },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { required: ['content'] },
    },
  );
  expect([...requiredOf(schema, { action: 'decline' })]).toEqual(['action']);
  expect([...requiredOf(schema, { action: 'accept' })]).toEqual(['action', 'content']);
});

test.each([
  ['many items in a default', { type: 'array', items: { type: 'number' }, default: Array(9_500).fill(0) }],
  [
    'items with many fields in a default',
    {
      type: 'array',
      items: object(
        Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`n${at}`, { type: 'number' }])),
      ),
      default: Array.from({ length: 3_000 }, () => ({})),
    },
  ],
])('%s do not become fields', (_, schema) => {
  expect(begin(schema)).toEqual([]);
  expect(kind(schema, schema.default)).toBe('json');
});

test.each([
  [
    'many fields that share many choices',
    {
      $defs: { one: { enum: Array.from({ length: 2_000 }, (_, at) => at) } },
      ...object(
        Object.fromEntries(Array.from({ length: 198 }, (_, at) => [`n${at}`, { $ref: '#/$defs/one' }])),
      ),
    },
  ],
  [
    'fields that multiply by references',
    {
      $defs: {
        a: object({ x: { $ref: '#/$defs/b' }, y: { $ref: '#/$defs/b' } }, { required: ['x', 'y'] }),
        b: object(
          Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`p${at}`, { $ref: '#/$defs/c' }])),
          { required: Array.from({ length: 60 }, (_, at) => `p${at}`) },
        ),
        c: object(Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`q${at}`, { type: 'string' }])), {
          required: ['q0', 'q1', 'q2', 'q3', 'q4'],
        }),
      },
      ...object({ root: { $ref: '#/$defs/a' } }, { required: ['root'] }),
    },
  ],
  ['a composition', object({ a: { type: 'string' } }, { oneOf: [{ required: ['b'] }, { required: ['c'] }] })],
  ['a property that is required and not described', object({ a: { type: 'string' } }, { required: ['b'] })],
])('%s is asked for as JSON', (_, schema) => {
  expect(kind(schema)).toBe('json');
});

test.each([
  [{ type: 'string', format: { toString: 0 } }],
  [{ $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } }],
  [{ $ref: '#/__proto__/toString' }],
  [{ type: 'object', properties: { __proto__: { type: 'string' }, constructor: 7, a: null } }],
  [{ type: 'array', items: { $ref: '#' }, minItems: 1e9 }],
  [{ enum: [] }],
  [{ anyOf: 'x', required: 7, properties: [] }],
])('a form of %j is made in an instant', (schema: Schema) => {
  const resolved = resolveSchema(schema, schema);
  const value = begin(schema);
  expect(typeof kindOf(resolved, { root: schema, depth: 0 }, value).kind).toBe('string');
  expect(JSON.stringify(value ?? null).length).toBeLessThan(10_000);
});

test.each([
  [{ type: 'string', minLength: 2 }, '😀', 'At least 2 characters, please.'],
  [{ type: 'string', maxLength: 1 }, '😀', null],
  [{ type: 'integer' }, 1.5, 'This must be a whole number.'],
  [{ type: 'integer' }, 2 ** 60, 'This is too large to be sent exactly.'],
  [{ type: 'number' }, 6.02e23, null],
  [{ type: 'number', exclusiveMinimum: 1 }, 1, 'This must be more than 1.'],
  [{ type: 'string' }, undefined, 'This is required.'],
  [{ type: 'string' }, null, null],
])('of %j, %j has the problem %j', (schema, value, problem) => {
  expect(problemOf(schema, value, true)).toBe(problem);
});

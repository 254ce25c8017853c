import { afterAll, expect, test } from '@jest/globals';
import { newId, type InputSchema } from '@turnpike/contract';
import { doublingSchema } from '../../../../tests/support/hostile-schemas.ts';
import { InputSchemas } from './input-schemas.ts';
import { exceededLimit } from './schema-limits.ts';

const schemas = new InputSchemas((error) => {
  throw error;
});
afterAll(() => schemas.close());

const withProperty = (property: unknown): InputSchema => ({ type: 'object', properties: { a: property } });

test.each<[string, InputSchema]>([
  ['nothing but its type', { type: 'object' }],
  ['draft 2020-12', { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' }],
  [
    'what zod-to-json-schema writes for draft 7',
    {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: { a: { $ref: '#/definitions/a' } },
      definitions: { a: { type: ['string', 'null'], format: 'date-time' } },
      additionalProperties: false,
    },
  ],
  ['keywords of its own', withProperty({ type: 'string', 'x-order': 1, example: 'x', nullable: true })],
  ['a format that nobody knows', withProperty({ type: 'string', format: 'license-plate' })],
  [
    'a pattern that is none with the flag u',
    withProperty({ type: 'string', pattern: String.raw`^[\w-.]+$` }),
  ],
  ['a schema that holds itself', withProperty({ $ref: '#' })],
  [
    'an id and a reference by it',
    {
      $id: 'https://a.example/tool',
      type: 'object',
      properties: { a: { $ref: '#part' } },
      $defs: { part: { $anchor: 'part', type: 'string' } },
    },
  ],
])('a schema with %s can be used', async (_, schema) => {
  expect(await schemas.fault(newId('tenant'), schema)).toBeNull();
});

test.each<[string, InputSchema, RegExp]>([
  ['a type that is none', withProperty({ type: 'strin' }), /\/properties\/a\/type must be equal to one of/],
  [
    'a bound that is a word',
    withProperty({ minLength: 'two' }),
    /\/properties\/a\/minLength must be integer/,
  ],
  ['a list of properties', { type: 'object', properties: [] }, /\/properties must be object/],
  ['a pattern that is none', withProperty({ pattern: '(' }), /missing closing \)/],
  [
    'a pattern that looks ahead',
    withProperty({ pattern: '^(?!x)' }),
    /the pattern "\^\(\?!x\)" cannot be used/,
  ],
  ['a pattern that refers back', withProperty({ pattern: String.raw`(a)\1` }), /cannot be used/],
  ['a hundred patterns and one', patterns(101), /has 101 patterns, and may have 100/],
  ['more characters than are read', withProperty({ description: 'x'.repeat(100_000) }), /characters of JSON/],
  ['a pattern without end', withProperty({ pattern: 'a'.repeat(2_001) }), /longer than 2000 characters/],
  ['a reference to nothing', withProperty({ $ref: '#/$defs/b' }), /can't resolve reference/],
  ['a reference to elsewhere', withProperty({ $ref: 'https://a.example/b.json' }), /can't resolve reference/],
  ['a reference to a file', withProperty({ $ref: 'file:///etc/passwd' }), /can't resolve reference/],
  ['an asynchronous validator', { $async: true, type: 'object' }, /\$async cannot be used/],
  ['more levels than can be read', deep(5_000), /nested too deeply/],
  ['a check that never ends', { type: 'object', allOf: [{ $ref: '#' }] }, /never ends/],
  ['a check of a million million steps', doublingSchema(40), /takes too long/],
  ['the same without definitions', halving(16), /takes too long/],
])('a schema with %s is refused, and why is said', async (_, schema, words) => {
  expect(await schemas.fault(newId('tenant'), schema)).toMatch(words);
});

function deep(levels: number): InputSchema {
  let schema: InputSchema = { type: 'object' };
  for (let level = 0; level < levels; level += 1) schema = { type: 'object', not: schema };
  return schema;
}

function patterns(count: number): InputSchema {
  const names = Array.from({ length: count }, (_, n) => [`p${n}`, { type: 'string', pattern: `^${n}$` }]);
  return { type: 'object', properties: Object.fromEntries(names) };
}

/** Each part refers twice to the one inside of it. */
function halving(levels: number): InputSchema {
  let part: Record<string, unknown> = { type: 'object' };
  let pointer = '#';
  for (let level = 0; level < levels; level += 1) {
    pointer += '/not';
    part = {
      not: part,
      anyOf: [{ $ref: pointer.replace(/^#(\/not)*/, `#${'/not'.repeat(levels - level)}`) }],
    };
  }
  return { ...part, type: 'object' };
}

test('the cost of a long name above many parts is proportional to its length', () => {
  const parts = Object.fromEntries(Array.from({ length: 6_000 }, (_, n) => [`p${n}`, {}]));
  const named = withProperty({ properties: { ['n'.repeat(20_000)]: { properties: parts } } });
  expect(exceededLimit(named)).toBeNull();
});

test('references are counted in every notation', () => {
  const eachTwice = (to: (n: number) => string, extra: (n: number) => object = () => ({})): InputSchema => ({
    type: 'object',
    $ref: to(0),
    $defs: Object.fromEntries(
      Array.from({ length: 17 }, (_, n) => [
        `a/${n}`,
        n === 16 ? { ...extra(n) } : { ...extra(n), allOf: [{ $ref: to(n + 1) }, { $ref: to(n + 1) }] },
      ]),
    ),
  });
  for (const schema of [
    eachTwice((n) => `#/$defs/a~1${n}`),
    eachTwice((n) => `#/%24defs/a%7E1${n}`),
    eachTwice(
      (n) => `#at${n}`,
      (n) => ({ $anchor: `at${n}` }),
    ),
    eachTwice(
      (n) => `https://a.example/${n}`,
      (n) => ({ $id: `https://a.example/${n}` }),
    ),
  ]) {
    expect(exceededLimit(schema)).toMatch(/its references lead to more than/);
  }
  expect(
    exceededLimit(withProperty({ $ref: '#/$defs/__proto__/toString', allOf: [{ $ref: '#/%zz' }] })),
  ).toBeNull();
});

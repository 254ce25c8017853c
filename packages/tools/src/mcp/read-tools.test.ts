import { expect, test } from '@jest/globals';
import { hashOfList, readTools } from './read-tools.ts';

const schema = { type: 'object' as const, properties: { b: { type: 'string' }, a: { type: 'number' } } };
const tool = (name: string, more: object = {}) => ({ name, description: 'd', inputSchema: schema, ...more });

test('a list has the same hash in whatever order a server gives its tools and their fields', () => {
  const other = { type: 'object' as const, properties: { a: { type: 'number' }, b: { type: 'string' } } };
  const one = readTools([tool('x'), tool('y')]);
  const two = readTools([{ inputSchema: other, description: 'd', name: 'y' }, tool('x')]);
  expect(two).toEqual(one);
  expect(hashOfList(two.tools)).toBe(hashOfList(one.tools));
  expect(one.tools.map(({ name }) => name)).toEqual(['x', 'y']);
});

test.each([
  ['its description', { description: 'e' }],
  ['its title', { title: 't' }],
  ['its schema', { inputSchema: { type: 'object' as const } }],
  ['an annotation', { annotations: { readOnlyHint: true } }],
])('a tool with another hash is one that changed %s', (_what, more) => {
  const [before] = readTools([tool('x')]).tools;
  const [after] = readTools([tool('x', more)]).tools;
  expect(after?.hash).not.toBe(before?.hash);
});

test('what no model can be given is left out, and said', () => {
  const { tools, leftOut } = readTools([
    tool('good'),
    tool('good'),
    tool('x'.repeat(129)),
    tool('large', { inputSchema: { type: 'object' as const, description: 'x'.repeat(100_001) } }),
    tool('combined', { inputSchema: { type: 'object' as const, anyOf: [{}] } }),
  ]);
  expect(tools.map(({ name }) => name)).toEqual(['combined', 'good']);
  expect(leftOut.map(({ name }) => name.slice(0, 10))).toEqual(['good', 'xxxxxxxxxx', 'large']);
});

test('a list is bounded, in tools and in characters', () => {
  expect(readTools(Array.from({ length: 600 }, (_, n) => tool(`t${n}`))).tools).toHaveLength(512);
  const long = Array.from({ length: 200 }, (_, n) => tool(`t${n}`, { description: 'x'.repeat(10_000) }));
  expect(readTools(long).tools.length).toBeLessThan(100);
});

import { expect, test } from '@jest/globals';
import { ListPages } from './list-page.ts';

const good = { name: 'good', inputSchema: { type: 'object' } };

test('a tool that is not as the protocol wants it takes no other tool with it', () => {
  const pages = new ListPages();
  const broken = [{ name: 'broken', inputSchema: 'none' }, { inputSchema: {} }, null];
  expect(pages.read({ tools: [good, ...broken], nextCursor: 'x' })).toEqual({
    tools: [good],
    nextCursor: 'x',
  });
  expect(pages.refused).toEqual(['broken', 'a tool without a name', 'a tool without a name']);
  expect(pages.read({ nothing: true })).toEqual({ nothing: true });
});

test('what is null is left out, what is not used does not matter, and an input is an object', () => {
  const odd = {
    name: 'odd',
    description: null,
    annotations: null,
    inputSchema: { oneOf: [{ required: ['a'] }] },
    outputSchema: { oneOf: [] },
    icons: 'none',
  };
  expect(new ListPages().read({ tools: [odd] })).toEqual({
    tools: [{ name: 'odd', inputSchema: { type: 'object', oneOf: [{ required: ['a'] }] } }],
  });
});

test('a list ends where it has become too long, whatever follows', () => {
  const pages = new ListPages();
  const large = { ...good, description: 'x'.repeat(900_000) };
  const read = pages.read({ tools: Array.from({ length: 10 }, () => large), nextCursor: 'more' });
  expect(read).toEqual({ tools: Array.from({ length: 4 }, () => large) });
});

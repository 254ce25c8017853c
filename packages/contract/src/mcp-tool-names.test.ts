import { expect, test } from '@jest/globals';
import { shownName } from './mcp-tool-names.ts';

const none = new Set<string>();

test('a name is that of the server and that of the tool', () => {
  expect(shownName('crm', 'look-up_2', none)).toBe('crm__look-up_2');
});

test.each([
  ['a character that the Messages API refuses', 'look.up/now'],
  ['letters of another script', 'ищи'],
  ['many characters', 'x'.repeat(128)],
])('a name with %s becomes one of at most 64 accepted characters, always the same', (_what, tool) => {
  const name = shownName('crm', tool, none);
  expect(name).toMatch(/^crm__[a-zA-Z0-9_-]{1,59}$/);
  expect(shownName('crm', tool, none)).toBe(name);
  expect(shownName('crm', `${tool}!`, none)).not.toBe(name);
});

test('a name that another tool of the agent has gets a hash', () => {
  expect(shownName('crm', 'a', new Set(['crm__a']))).toMatch(/^crm__a_[0-9a-f]{8}$/);
});

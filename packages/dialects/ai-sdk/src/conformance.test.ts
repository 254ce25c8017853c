import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { chatRequestSchema } from './chat-request.ts';
import { CHUNK_ROWS, PART_ROWS, REQUEST_ROWS } from './conformance.ts';

const types = readFileSync(
  new URL('../../../../node_modules/ai/dist/index.d.ts', import.meta.url),
  'utf8',
).replaceAll(/\/\*\*.*?\*\//gs, '');

test('the table has every chunk that the official package knows, and no other', () => {
  const union = /^type UIMessageChunk<.*?^\};/ms.exec(types)?.[0] ?? '';
  const found = [...union.matchAll(/^ {2}type: '([\w-]+)';/gm)].map(([, type = '']) => type);
  expect(found.length).toBeGreaterThan(25);
  // Those of data are declared elsewhere, since their names are an application's.
  expect(Object.keys(CHUNK_ROWS).toSorted()).toEqual([...found, 'data'].toSorted());
});

test('the table has every part of a message that the official package knows, and no other', () => {
  const union = /^type UIMessagePart<.*?>\s*=(.*?);$/ms.exec(types)?.[1] ?? '';
  const names = [...union.matchAll(/\b(\w+?)UIPart\b/g)].map(([, name = '']) => name);
  const kinds = names.map((name) => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase());
  expect(kinds.length).toBeGreaterThan(8);
  const partTypes = kinds.map((kind) => (kind === 'custom-content' ? 'custom' : kind));
  expect(Object.keys(PART_ROWS).toSorted()).toEqual(partTypes.toSorted());
});

test('the table has every field of a request, those of the official transport among them', () => {
  expect(Object.keys(REQUEST_ROWS)).toEqual(Object.keys(chatRequestSchema.shape));
  const source = readFileSync(
    new URL('../../../../node_modules/ai/src/ui/http-chat-transport.ts', import.meta.url),
    'utf8',
  );
  const body = /\? preparedRequest\.body\s*: \{(.*?)\}/s.exec(source)?.[1] ?? '';
  const sent = [...body.matchAll(/^\s+(\w+):/gm)].map(([, name = '']) => name);
  expect(sent).toEqual(['id', 'messages', 'trigger', 'messageId']);
  expect(Object.keys(REQUEST_ROWS)).toEqual(expect.arrayContaining(sent));
});

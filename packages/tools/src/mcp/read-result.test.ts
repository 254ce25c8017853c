import { expect, test } from '@jest/globals';
import { readResult } from './read-result.ts';

const LIMITS = { maxTextCharacters: 100, maxMediaCharacters: 10_000 };
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
const text = (...texts: string[]) => texts.map((each) => ({ type: 'text' as const, text: each }));

test('text and images become blocks, and structured content that is repeated as text is shown once', () => {
  const image = { type: 'image' as const, mimeType: 'image/png', data: PNG };
  const content = [...text('{ "a": 1 }'), image];
  expect(readResult({ content, structuredContent: { a: 1 } }, LIMITS, [])).toEqual({
    isError: false,
    content: [
      { type: 'text', text: '{ "a": 1 }' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
    ],
  });
  const shown = readResult({ content: text('see'), structuredContent: { a: 2 } }, LIMITS, []);
  expect(shown.content.map((block) => block['text'])).toEqual(['see', '{"a":2}']);
});

test('text is bounded, and secrets are hidden, also one that is cut at the end', () => {
  const { content } = readResult({ content: text('secret-value '.repeat(20)) }, LIMITS, ['secret-value']);
  expect(JSON.stringify(content)).not.toMatch(/secret-v/);
  expect(content.at(-1)?.['text']).toContain('[truncated: 100 of 260 characters]');
});

test('an error has text, and nothing has a block that the Messages API refuses', () => {
  expect(readResult({ content: [], isError: true }, LIMITS, [])).toEqual({
    isError: true,
    content: [{ type: 'text', text: '[no content]' }],
  });
  const odd = { type: 'image' as const, mimeType: 'image/tiff', data: PNG };
  expect(readResult({ content: [odd] }, LIMITS, []).content[0]?.['text']).toContain('[left out: image');
});

test('a result of very many blocks is shown in part', () => {
  const many = text(...Array.from({ length: 300 }, () => 'x'));
  const { content } = readResult({ content: many }, { ...LIMITS, maxTextCharacters: 1_000 }, []);
  expect(content).toHaveLength(100);
  expect(content.at(-1)?.['text']).toContain('201 more blocks');
});

test('audio and other data that models cannot be shown become files, without those that hold a secret', () => {
  const blob = (uri: string, data: string) => ({
    type: 'resource' as const,
    resource: { uri, mimeType: 'application/zip', blob: Buffer.from(data).toString('base64') },
  });
  const content = [
    { type: 'audio' as const, mimeType: 'audio/wav', data: 'UklGRg==' },
    blob('file:///reports/May%202026.zip?x=a/b', 'zipped'),
    blob('file:///keys.zip', 'a secret-value within'),
    blob('file:///secret-value.zip', 'named'),
  ];
  const { content: shown, overflow } = readResult({ content }, { ...LIMITS, maxTextCharacters: 1_000 }, [
    'secret-value',
  ]);
  expect(shown.every((block) => String(block['text']).startsWith('[left out: '))).toBe(true);
  expect(overflow).toEqual([
    { encoding: 'base64', mediaType: 'audio/wav', data: 'UklGRg==' },
    { encoding: 'base64', mediaType: 'application/zip', data: 'emlwcGVk', filename: 'May 2026.zip' },
    { encoding: 'base64', mediaType: 'application/zip', data: 'bmFtZWQ=', filename: '[secret].zip' },
  ]);
});

import { expect, test } from '@jest/globals';
import { ProblemError } from '@turnpike/contract';
import { RefusedError } from './refusals.ts';
import type { RequestPart } from './requests.ts';
import { toBlocks } from './to-blocks.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=';

test.each<[RequestPart, object]>([
  [{ text: 'Hello' }, { type: 'text', text: 'Hello' }],
  [
    { text: '# Hello', mediaType: 'text/markdown' },
    { type: 'text', text: '# Hello' },
  ],
  [{ data: { a: [1] } }, { type: 'text', text: '{"a":[1]}' }],
  [{ data: null }, { type: 'text', text: 'null' }],
  [
    { raw: PNG, mediaType: 'image/png' },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
  ],
  [
    { url: 'https://files.example/a.png', mediaType: 'image/png' },
    { type: 'image', source: { type: 'url', url: 'https://files.example/a.png' } },
  ],
  [
    { url: 'https://files.example/a.pdf', mediaType: 'application/pdf', filename: 'a.pdf' },
    { type: 'document', source: { type: 'url', url: 'https://files.example/a.pdf' }, title: 'a.pdf' },
  ],
  [
    { raw: Buffer.from('a,b').toString('base64'), mediaType: 'text/csv', filename: 'a.csv' },
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a,b' }, title: 'a.csv' },
  ],
])('%j is a block for the model', (part, block) => {
  expect(toBlocks([part], 'parts')).toEqual([block]);
});

test.each<[RequestPart, string | null]>([
  [{ raw: PNG }, 'CONTENT_TYPE_NOT_SUPPORTED'],
  [{ raw: PNG, mediaType: 'video/mp4' }, 'CONTENT_TYPE_NOT_SUPPORTED'],
  [{ url: 'https://files.example/a.csv', mediaType: 'text/csv' }, 'CONTENT_TYPE_NOT_SUPPORTED'],
  [{ text: 'Hello', mediaType: 'video/mp4' }, 'CONTENT_TYPE_NOT_SUPPORTED'],
  [{ data: 1, mediaType: 'text/plain' }, 'CONTENT_TYPE_NOT_SUPPORTED'],
  [{ raw: PNG, mediaType: 'image/bmp' }, null],
  [{ raw: 'no base64', mediaType: 'image/png' }, null],
  [{ text: ' ' }, null],
  [{}, null],
  [{ text: 'Hello', data: {} }, null],
  [{ text: 'Hello', metadata: { a: 1 } }, null],
])('%j is refused', (part, reason) => {
  let refusal: unknown;
  try {
    toBlocks([part], 'parts');
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(ProblemError);
  expect(refusal instanceof RefusedError ? refusal.reason : null).toBe(reason);
});

import { expect, test } from '@jest/globals';
import { ProblemError } from '@turnpike/contract';
import { toBlocks } from './to-blocks.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=';
const FILE = 'file_01kapjt9e8f7ga5vxq3c2m4n6r';
interface Part {
  type: string;
  [field: string]: unknown;
}
const file = (mediaType: string, url: string, more: object = {}): Part => ({
  type: 'file',
  mediaType,
  url,
  ...more,
});

test.each<[Part, object]>([
  [
    { type: 'text', text: 'Hello' },
    { type: 'text', text: 'Hello' },
  ],
  [
    file('image/png', `data:image/png;base64,${PNG}`, { filename: 'a.png' }),
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
  ],
  [
    file('image', 'https://files.invalid/a.png'),
    { type: 'image', source: { type: 'url', url: 'https://files.invalid/a.png' } },
  ],
  [
    file('application/pdf', 'https://files.invalid/a.pdf', { filename: 'a.pdf' }),
    { type: 'document', source: { type: 'url', url: 'https://files.invalid/a.pdf' }, title: 'a.pdf' },
  ],
  [
    file('text/csv', 'data:text/csv;charset=utf-8,a%2Cb', { filename: 'a.csv' }),
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a,b' }, title: 'a.csv' },
  ],
  [
    file('application/pdf', '', { providerReference: { turnpike: FILE } }),
    { type: 'document', source: { type: 'file', file_id: FILE } },
  ],
])('%j is a block for the model', (part, block) => {
  expect(toBlocks([part], 'parts')).toEqual([block]);
});

test.each<[Part]>([
  [file('video/mp4', 'https://files.invalid/a.mp4')],
  [file('video/mp4', 'data:video/mp4;base64,AAAA')],
  [file('image/png', 'data:image/png;base64,')],
  [file('image/png', `data:image/jpeg;base64,${PNG}`)],
  [file('image/png', 'blob:https://files.invalid/1')],
  [file('image/png', '', { providerReference: { another: 'file-1' } })],
  [{ type: 'text', text: ' ' }],
  [{ type: 'data-place' }],
  [{ type: 'reasoning' }],
])('%j is refused', (part) => {
  expect(() => toBlocks([part], 'parts')).toThrow(ProblemError);
});

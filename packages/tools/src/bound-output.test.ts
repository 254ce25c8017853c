import { expect, test } from '@jest/globals';
import { boundOutput } from './bound-output.ts';

const limits = { maxTextCharacters: 10, maxMediaCharacters: 200 };
const text = (words: unknown) => ({ type: 'text', text: words });
const image = (length: number) => ({
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: 'A'.repeat(length) },
});

test('text within the limit is not changed', () => {
  const output = { content: [text('12345'), text('67890')], isError: false };
  expect(boundOutput(output, limits)).toEqual(output);
});

test('text is limited over all blocks together, and a note says how much was truncated', () => {
  const output = { content: [text('12345'), text('6'.repeat(1_234_000)), text('more')], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('12345'),
    text('66666'),
    text('[truncated: 10 of 1,234,009 characters]'),
  ]);
});

test('text that is truncated exactly between two blocks has the note too', () => {
  const output = { content: [text('1234567890'), text('more')], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('1234567890'),
    text('[truncated: 10 of 14 characters]'),
  ]);
});

test('truncated text never ends inside a character', () => {
  const output = { content: [text('123456789😀')], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('123456789'),
    text('[truncated: 9 of 11 characters]'),
  ]);
});

test('NUL and halves of surrogate pairs are replaced, in documents too', () => {
  const source = (data: string) => ({ type: 'text', media_type: 'text/plain', data });
  const output = {
    content: [text('a\0b\uD83Dc'), { type: 'document', title: 'x\0', source: source('\uDE00y') }],
    isError: false,
  };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('a\uFFFDb\uFFFDc'),
    { type: 'document', title: 'x\uFFFD', source: source('\uFFFDy') },
  ]);
});

test('an output may be empty, and blank text is left out', () => {
  expect(boundOutput({ content: [], isError: false }, limits)).toEqual({ content: [], isError: false });
  const blank = { content: [text(''), text(' \n')], isError: false };
  expect(boundOutput(blank, limits)).toEqual({ content: [], isError: false });
});

test('an error always has text, and nothing else', () => {
  expect(boundOutput({ content: [], isError: true }, limits)?.content).toEqual([
    text('The tool failed without a message.'),
  ]);
  expect(boundOutput({ content: [text('no'), image(4)], isError: true }, limits)?.content).toEqual([
    text('no'),
    text('[left out: image, since an error can hold only text]'),
  ]);
});

test('images and documents are kept, up to a limit in total', () => {
  const output = { content: [image(4), image(100), image(4)], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    image(4),
    text('[left out: image of 178 characters, too large]'),
    image(4),
  ]);
});

test('cache markers are removed from text', () => {
  const output = { content: [{ ...text('hi'), cache_control: { type: 'ephemeral' } }], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([text('hi')]);
});

test.each([
  ['nothing', undefined],
  ['a string', 'hello'],
  ['no flag', { content: [] }],
  ['text that is none', { content: [{ type: 'text', text: 1 }], isError: false }],
  ['a block that no tool result may hold', { content: [{ type: 'tool_use' }], isError: false }],
  ['an image without a source', { content: [{ type: 'image' }], isError: false }],
  ['more than 100 blocks', { content: Array.from({ length: 101 }, () => text('x')), isError: false }],
])('%s is not a valid output', (_, output) => {
  expect(boundOutput(output, limits)).toBeNull();
});

test('an image or a document that the API refuses is replaced by the reason', () => {
  const bmp = { type: 'image', source: { type: 'base64', media_type: 'image/bmp', data: 'Qk0=' } };
  const named = {
    type: 'image',
    source: { type: 'base64', media_type: 'image/png', data: Buffer.from('%PDF-1.7').toString('base64') },
  };
  const output = { content: [text('ok'), bmp, named, image(8)], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('ok'),
    text(expect.stringMatching(/^\[left out: image, since source.media_type: .*image\/jpeg/)),
    text('[left out: image, since source.media_type: is image/png, but the data is application/pdf]'),
    image(8),
  ]);
});

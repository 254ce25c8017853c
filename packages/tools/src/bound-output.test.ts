import { expect, test } from '@jest/globals';
import { boundOutput } from './bound-output.ts';

const limits = { maxTextCharacters: 10, maxMediaCharacters: 200 };
const text = (words: unknown) => ({ type: 'text', text: words });
const image = (length: number) => ({
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: 'A'.repeat(length) },
});

test('text within the limit is left as it is', () => {
  const output = { content: [text('12345'), text('67890')], isError: false };
  expect(boundOutput(output, limits)).toEqual(output);
});

test('text is bounded over all blocks together, and a note says how much was cut', () => {
  const output = { content: [text('12345'), text('6'.repeat(1_234_000)), text('more')], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('12345'),
    text('66666'),
    text('[truncated: 10 of 1,234,009 characters]'),
  ]);
});

test('text that is cut exactly at a border of blocks says so too', () => {
  const output = { content: [text('1234567890'), text('more')], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    text('1234567890'),
    text('[truncated: 10 of 14 characters]'),
  ]);
});

test('a cut never leaves half a character', () => {
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

test('an empty output is allowed, and blank text, which the API refuses, is left out', () => {
  expect(boundOutput({ content: [], isError: false }, limits)).toEqual({ content: [], isError: false });
  const blank = { content: [text(''), text(' \n')], isError: false };
  expect(boundOutput(blank, limits)).toEqual({ content: [], isError: false });
});

test('an error always says something, and holds nothing but text', () => {
  expect(boundOutput({ content: [], isError: true }, limits)?.content).toEqual([
    text('The tool failed and said nothing more.'),
  ]);
  expect(boundOutput({ content: [text('no'), image(4)], isError: true }, limits)?.content).toEqual([
    text('no'),
    text('[left out: image, since an error can hold only text]'),
  ]);
});

test('images and documents pass, and are bounded in total', () => {
  const output = { content: [image(4), image(100), image(4)], isError: false };
  expect(boundOutput(output, limits)?.content).toEqual([
    image(4),
    text('[left out: image of 178 characters, too large]'),
    image(4),
  ]);
});

test('markers that are the service’s to set are taken off text', () => {
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
])('%s is no output', (_, output) => {
  expect(boundOutput(output, limits)).toBeNull();
});

test('an image or a document that the model does not take is left out, and why is said', () => {
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

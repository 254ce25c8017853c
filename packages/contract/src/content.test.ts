import { expect, test } from '@jest/globals';
import { turnInputSchema } from './content.ts';
import { MAX_IMAGE_CHARACTERS } from './messages-api/media.ts';
import { submitToolOutputsSchema } from './tool-outputs.ts';

const base64 = (...parts: (string | number[])[]): string =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  ).toString('base64');

const uint32 = (number: number): number[] => [
  number >>> 24,
  (number >>> 16) & 255,
  (number >>> 8) & 255,
  number & 255,
];
const png = (width: number, height: number): string =>
  base64('\x89PNG\r\n\x1a\n', uint32(13), 'IHDR', uint32(width), uint32(height), [8, 2, 0, 0, 0]);
const gif = (width: number, height: number): string =>
  base64('GIF89a', [width & 255, width >> 8, height & 255, height >> 8], [0, 0, 0]);
const jpeg = (width: number, height: number): string =>
  // 60 kB of metadata stand before the frame that contains the size.
  base64([0xff, 0xd8, 0xff, 0xe1, 0xea, 0x60], 'x'.repeat(0xea60 - 2), [
    0xff,
    0xc0,
    0,
    17,
    8,
    height >> 8,
    height & 255,
    width >> 8,
    width & 255,
    3,
  ]);
const webp = (width: number, height: number): string =>
  base64(
    'RIFF',
    [30, 0, 0, 0],
    'WEBPVP8X',
    [10, 0, 0, 0],
    [0, 0, 0, 0],
    uint24(width - 1),
    uint24(height - 1),
  );
const uint24 = (number: number): number[] => [number & 255, (number >> 8) & 255, number >> 16];
const pdf = base64('%PDF-1.7\n');

const image = (mediaType: string, data: string) => ({
  type: 'image',
  source: { type: 'base64', media_type: mediaType, data },
});
const document = (mediaType: string, data: string) => ({ ...image(mediaType, data), type: 'document' });
const url = (type: string) => ({ type, source: { type: 'url', url: 'https://pictures.invalid/a' } });

const toolCallId = 'call_01kapjt9e8f7ga5vxq3c2m4n6r';
const asToolOutput = (output: unknown) => ({ tool_outputs: [{ tool_call_id: toolCallId, output }] });

test.each<[string, object[]]>([
  ['a PNG of the maximum size', [image('image/png', png(8_000, 8_000))]],
  ['a JPEG', [image('image/jpeg', jpeg(800, 600))]],
  ['a GIF', [image('image/gif', gif(1, 1))]],
  ['a WebP', [image('image/webp', webp(300, 200))]],
  ['a broken image that only the model can recognise as broken', [image('image/png', 'AAAA')]],
  ['an image that ends within its header', [image('image/png', base64('\x89PNG\r\n\x1a\n'))]],
  ['a PDF', [document('application/pdf', pdf)]],
  ['an image and a document by URL', [url('image'), url('document')]],
  ['twenty images of 8,000 pixels', Array.from({ length: 20 }, () => image('image/png', png(8_000, 10)))],
  [
    'a hundred images of 2,000 pixels',
    Array.from({ length: 100 }, () => image('image/png', png(2_000, 2_000))),
  ],
])('%s is accepted, as input and as the output of a tool', (_, blocks) => {
  expect(turnInputSchema.safeParse(blocks).error).toBeUndefined();
  expect(submitToolOutputsSchema.safeParse(asToolOutput(blocks)).error).toBeUndefined();
});

test.each<[string, object[], RegExp]>([
  ['an image/bmp', [image('image/bmp', base64('BM'))], /image\/jpeg/],
  ['an image/jpg, which is not a media type', [image('image/jpg', jpeg(8, 8))], /image\/jpeg/],
  ['an image/svg+xml', [image('image/svg+xml', base64('<svg/>'))], /image\/jpeg/],
  ['a PDF as an image', [image('application/pdf', pdf)], /image\/jpeg/],
  ['an image without data', [image('image/png', '')], /must not be empty/],
  ['an image that is not base64', [image('image/png', 'a!==')], /base64/],
  ['a data URL', [image('image/png', `data:image/png;base64,${png(1, 1)}`)], /base64/],
  [
    'an image of more than 10 MiB',
    [image('image/png', 'A'.repeat(MAX_IMAGE_CHARACTERS + 4))],
    /at most 10485760/,
  ],
  ['a PNG that is too wide', [image('image/png', png(8_001, 1))], /8001 x 1 pixels/],
  ['a PNG that is too high', [image('image/png', png(1, 8_001))], /1 x 8001 pixels/],
  ['a PNG of absurd size', [image('image/png', png(0xffffffff, 1))], /4294967295 x 1 pixels/],
  ['a JPEG that is too wide', [image('image/jpeg', jpeg(9_000, 10))], /9000 x 10 pixels/],
  ['a GIF that is too wide', [image('image/gif', gif(8_001, 10))], /8001 x 10 pixels/],
  ['a WebP that is too wide', [image('image/webp', webp(16_000, 10))], /16000 x 10 pixels/],
  [
    'a JPEG declared as a PNG',
    [image('image/png', jpeg(8, 8))],
    /is image\/png, but the data is image\/jpeg/,
  ],
  ['a PDF declared as a PNG', [image('image/png', pdf)], /is image\/png, but the data is application\/pdf/],
  [
    'an HTML page instead of an image',
    [image('image/png', base64('<!DOCTYPE html><p>'))],
    /data is text\/html/,
  ],
  [
    'a HEIC instead of a JPEG',
    [image('image/jpeg', base64([0, 0, 0, 24], 'ftypheic'))],
    /data is image\/heic/,
  ],
  [
    'an image as a PDF',
    [document('application/pdf', png(1, 1))],
    /is application\/pdf, but the data is image\/png/,
  ],
  ['a document of another kind', [document('application/msword', 'AAAA')], /application\/pdf/],
  ['a document without data', [document('application/pdf', '')], /must not be empty/],
  [
    'one large image among twenty-one',
    [...Array.from({ length: 20 }, () => url('image')), image('image/png', png(2_001, 10))],
    /2001 x 10 pixels: the model accepts at most 2000 x 2000 if there are more than 20 images/,
  ],
])('%s is rejected, as input and as the output of a tool', (_, blocks, message) => {
  for (const schema of [turnInputSchema, submitToolOutputsSchema]) {
    const error = schema.safeParse(schema === turnInputSchema ? blocks : asToolOutput(blocks)).error;
    expect(JSON.stringify(error?.issues)).toMatch(message);
  }
});

import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { RetryableError, type FileMediaType, type Message } from '@turnpike/contract';
import { serializeBody, type MessagesBody } from './build-request.ts';
import { composeBody } from './compose-body.ts';
import type { ModelFiles } from './model-files.ts';

const bodyWith = (messages: Message[]): MessagesBody => ({
  model: 'm',
  max_tokens: 1,
  stream: true,
  messages: messages as unknown as MessagesBody['messages'],
});
const fileBlock = (type: string, id: string, mediaType: FileMediaType, bytes: number, more = {}) => ({
  type,
  source: { type: 'file', file_id: id, media_type: mediaType, bytes },
  ...more,
});

/** Files in pieces of odd sizes. */
function filesOf(
  contents: Record<string, Buffer>,
  pieceBytes = 7,
): ModelFiles & { held: number; most: number } {
  const files = {
    held: 0,
    most: 0,
    open: (tenantId: string, id: string) => {
      const content = contents[id];
      if (content === undefined || tenantId !== 'ten') return Promise.resolve(null);
      return Promise.resolve({
        async *read() {
          for (let start = 0; start < content.length; start += pieceBytes) {
            files.held += 1;
            files.most = Math.max(files.most, files.held);
            yield content.subarray(start, start + pieceBytes);
            files.held -= 1;
          }
        },
      });
    },
  };
  return files;
}

const never = new AbortController().signal;
const sent = async (body: MessagesBody, files: ModelFiles): Promise<string> => {
  const { content, length } = await composeBody(body, 'ten', files, never);
  if (typeof content === 'string') return content;
  const whole = await text(content);
  expect(Buffer.byteLength(whole)).toBe(length);
  return whole;
};

test('the body is what it would be with the contents in it, whatever the pieces are', async () => {
  const picture = Buffer.from(Array.from({ length: 100 }, (_none, index) => (index * 37) % 256));
  const words = Buffer.from('Zeile "eins"\n\\ 😀 ende\u2028');
  for (const pieceBytes of [1, 2, 3, 7, 64, 1_000]) {
    const files = filesOf({ picture, words }, pieceBytes);
    const composed = await sent(
      bodyWith([
        {
          role: 'user',
          content: [
            fileBlock('image', 'picture', 'image/png', picture.length),
            fileBlock('document', 'words', 'text/markdown', words.length, { title: 'T' }),
            {
              type: 'tool_result',
              tool_use_id: 'x',
              content: [fileBlock('document', 'picture', 'application/pdf', picture.length)],
            },
          ],
        },
      ]),
      files,
    );
    expect(JSON.parse(composed)).toEqual({
      model: 'm',
      max_tokens: 1,
      stream: true,
      messages: [
        {
          role: 'user',
          content: [
            {
              type: 'image',
              source: { type: 'base64', media_type: 'image/png', data: picture.toString('base64') },
            },
            {
              type: 'document',
              title: 'T',
              source: { type: 'text', media_type: 'text/plain', data: words.toString() },
            },
            {
              type: 'tool_result',
              tool_use_id: 'x',
              content: [
                {
                  type: 'document',
                  source: { type: 'base64', media_type: 'application/pdf', data: picture.toString('base64') },
                },
              ],
            },
          ],
        },
      ],
    });
    expect(files.most).toBeLessThanOrEqual(1);
  }
});

test('a file that is gone becomes a text that keeps the mark of the cache, and a body without files stays a text', async () => {
  const body = bodyWith([
    {
      role: 'user',
      content: [
        fileBlock('image', 'gone', 'image/png', 5, { cache_control: { type: 'ephemeral' } }),
        { type: 'text', text: 'Hi' },
      ],
    },
  ]);
  expect(JSON.parse(await sent(body, filesOf({})))).toMatchObject({
    messages: [
      {
        content: [
          {
            type: 'text',
            text: '[left out: image, since the file was deleted]',
            cache_control: { type: 'ephemeral' },
          },
          { type: 'text', text: 'Hi' },
        ],
      },
    ],
  });
  const plain = bodyWith([{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]);
  const { content, length } = await composeBody(plain, 'ten', filesOf({}), never);
  expect([content, length]).toEqual([serializeBody(plain), null]);
});

test("another tenant's file is as one that is gone", async () => {
  const body = bodyWith([{ role: 'user', content: [fileBlock('image', 'theirs', 'image/png', 5)] }]);
  const { content } = await composeBody(body, 'other', filesOf({ theirs: Buffer.from('12345') }), never);
  expect(typeof content === 'string' ? content : await text(content)).toContain('the file was deleted');
});

test('a file that is erased while it is sent breaks the request in a way that is tried again', async () => {
  const files: ModelFiles = {
    open: () =>
      Promise.resolve({
        async *read() {
          yield Buffer.from('123');
          throw new Error('The bytes are gone.');
        },
      }),
  };
  const body = bodyWith([{ role: 'user', content: [fileBlock('image', 'a', 'image/png', 900)] }]);
  const composed = await composeBody(body, 'ten', files, never);
  expect(composed.failure()).toBeNull();
  await expect(text(composed.content as ReadableStream)).rejects.toThrow();
  expect(composed.failure()).toBeInstanceOf(RetryableError);
  expect(composed.failure()).toMatchObject({ code: 'file_unavailable' });
});

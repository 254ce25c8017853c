import { expect, test } from '@jest/globals';
import type { Message } from '@turnpike/contract';
import { boundMedia } from './media.ts';

const picture = (characters: number): Message => ({
  role: 'user',
  content: [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'a'.repeat(characters) } },
  ],
});
const omitted = (characters: number): Message => ({
  role: 'user',
  content: [{ type: 'image', source: { type: 'omitted', characters } }],
});

test('pictures whose data was not read count as if it had been: the same ones are sent', () => {
  const sizes = Array.from({ length: 20 }, (_, number) => 3_000_000 + number * 1_000);
  const read = boundMedia(sizes.map(picture));
  // The newest fifteen are more than twice what a request carries.
  const unread = boundMedia(sizes.map((size, number) => (number < 5 ? omitted(size) : picture(size))));
  expect(unread.map(({ content }) => content)).toEqual(read.map(({ content }) => content));
  expect(JSON.stringify(unread)).not.toContain('omitted');
});

import { errors } from 'undici';

/** What ended a body: it was whole, or the size bound, the other side, or a time limit cut it. */
export type BodyEnd = 'complete' | 'size_limit' | 'connection_lost' | 'timeout';

/** Reads up to `limit` bytes and then stops, so that an endless body costs no memory. */
export async function readBounded(
  stream: AsyncIterable<Uint8Array>,
  limit: number,
  expired: () => boolean,
): Promise<{ body: Uint8Array; bodyEnd: BodyEnd }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let bodyEnd: BodyEnd = 'complete';
  try {
    for await (const chunk of stream) {
      const kept = chunk.subarray(0, limit - length);
      chunks.push(kept);
      length += kept.length;
      if (kept.length < chunk.length) {
        bodyEnd = 'size_limit';
        break;
      }
    }
  } catch (error) {
    bodyEnd = expired() || error instanceof errors.BodyTimeoutError ? 'timeout' : 'connection_lost';
  }
  return { body: Buffer.concat(chunks, length), bodyEnd };
}

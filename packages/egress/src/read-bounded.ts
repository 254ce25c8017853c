import { errors } from 'undici';

/** What ended a body: completion, the size limit, a lost connection, a timeout, or invalid compressed data. */
export type BodyEnd = 'complete' | 'size_limit' | 'connection_lost' | 'timeout' | 'undecodable';

/** Reads up to `limit` bytes and then stops, so that an endless body cannot exhaust the memory. */
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
    const isTimeout = expired() || error instanceof errors.BodyTimeoutError;
    bodyEnd = isTimeout ? 'timeout' : isDecompressionError(error) ? 'undecodable' : 'connection_lost';
  }
  return { body: Buffer.concat(chunks, length), bodyEnd };
}

/** zlib's errors have codes such as `Z_DATA_ERROR`, `Z_BUF_ERROR` or `ERR_BROTLI_...`. */
function isDecompressionError(error: unknown): boolean {
  const hasCode = typeof error === 'object' && error !== null && 'code' in error;
  return hasCode && /^(Z_|ERR_BROTLI|ERR__ERROR)/.test(String(error.code));
}

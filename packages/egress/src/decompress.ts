import { pipeline, type Duplex, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

const DECODERS: ReadonlyMap<string, () => Duplex> = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/** Limit of nested codings: more have no legitimate use. */
const MAX_CODINGS = 2;

/**
 * Decompresses a body as a stream, so that reading a part costs only that part. Null if the body is not compressed,
 * or its coding is unknown.
 * The returned stream fails if any stream of the chain fails; destroying it destroys the chain.
 */
export function decompress(body: Readable, contentEncoding: string | undefined): Readable | null {
  const codings = (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length === 0 || codings.length > MAX_CODINGS) return null;
  const factories = codings.toReversed().map((coding) => DECODERS.get(coding));
  let stream = body;
  const decoders: Duplex[] = [];
  for (const createDecoder of factories) {
    if (createDecoder === undefined) return null;
    decoders.push(createDecoder());
  }
  for (const decoder of decoders) {
    // The decoder emits the error as well, and so the reader of the result receives it.
    pipeline(stream, decoder, () => undefined);
    stream = decoder;
  }
  return stream;
}

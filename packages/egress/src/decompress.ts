import { pipeline, type Duplex, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

const DECODERS: ReadonlyMap<string, () => Duplex> = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/** More of them, one in the other, nobody has an honest use for. */
const MOST_CODINGS = 2;

/**
 * The body as it was before it was compressed, piece by piece, so that whoever reads a part of it pays for that
 * part alone; null where it is not compressed, or in a way that is not known.
 * An error of either stream is one of the result; who stops reading the result ends both.
 */
export function decompress(body: Readable, contentEncoding: string | undefined): Readable | null {
  const codings = (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length === 0 || codings.length > MOST_CODINGS) return null;
  const makers = codings.toReversed().map((coding) => DECODERS.get(coding));
  let stream = body;
  const decoders: Duplex[] = [];
  for (const make of makers) {
    if (make === undefined) return null;
    decoders.push(make());
  }
  for (const decoder of decoders) {
    // The error is the decoder's too, and whoever reads the result is told of it there.
    pipeline(stream, decoder, () => undefined);
    stream = decoder;
  }
  return stream;
}

import { createHash } from 'node:crypto';
import {
  isTextMediaType,
  OTHER_MEDIA_TYPE,
  ProblemError,
  readFileStart,
  type FileMediaType,
} from '@turnpike/contract';
import type { InspectedBytes } from '@turnpike/store';

/** Of the beginning of a file: more than any signature needs, and enough for the size of most images. */
const START_BYTES = 256 * 1024;

/** Looks at the bytes of a file as they pass, and holds the beginning alone. */
export class Inspection {
  readonly #mediaType: FileMediaType;
  readonly #mostBytes: number;
  readonly #hash = createHash('sha256');
  readonly #text: InstanceType<typeof TextDecoder> | null;
  #start = Buffer.alloc(0);
  #bytes = 0;

  constructor(mediaType: FileMediaType, mostBytes: number) {
    this.#mediaType = mediaType;
    this.#mostBytes = mostBytes;
    this.#text = isTextMediaType(mediaType) ? new TextDecoder('utf-8', { fatal: true }) : null;
  }

  /** The same pieces. Throws `ProblemError`: `file_too_large`, `file_type_mismatch`. */
  async *pass(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      this.#add(piece);
      yield piece;
    }
  }

  /** To be called when all have passed. Throws `ProblemError`: `file_type_mismatch`, `invalid_request` for an empty file. */
  finish(): InspectedBytes {
    if (this.#bytes === 0) throw new ProblemError('invalid_request', 'The file is empty.');
    this.#decode(new Uint8Array(), false);
    const header = readFileStart(this.#start);
    const found = header?.mediaType ?? null;
    const fits =
      this.#mediaType === OTHER_MEDIA_TYPE ||
      (this.#text === null ? found === this.#mediaType : found === null || READABLE.has(found));
    if (!fits) throw mismatch(this.#mediaType, found);
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex'), size: header?.size ?? null };
  }

  #add(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#mostBytes)
      throw new ProblemError('file_too_large', `The file is larger than ${this.#mostBytes} bytes.`);
    this.#hash.update(piece);
    this.#decode(piece, true);
    const room = START_BYTES - this.#start.length;
    if (room > 0) this.#start = Buffer.concat([this.#start, piece.subarray(0, room)]);
  }

  #decode(piece: Uint8Array, stream: boolean): void {
    if (this.#text === null) return;
    try {
      this.#text.decode(piece, { stream });
    } catch {
      throw mismatch(this.#mediaType, null);
    }
    if (piece.includes(0)) throw mismatch(this.#mediaType, null);
  }
}

/** Types of text that have a signature. */
const READABLE = new Set(['text/html', 'image/svg+xml']);

function mismatch(declared: string, found: string | null): ProblemError {
  const is = found === null ? 'something else' : found;
  return new ProblemError(
    'file_type_mismatch',
    `The file is declared as ${declared}, and its content is ${is}.`,
  );
}

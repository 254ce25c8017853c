import {
  CHUNK_BYTES,
  deleteFileChunks,
  readFileChunk,
  sizeOfChunks,
  writeFileChunk,
  type Database,
} from '@turnpike/store';
import { FileGoneError, type FileStorage } from './file-storage.ts';

/** Bytes in rows of Postgres, a chunk each (decision 14): one statement writes or reads one chunk. */
export function createPostgresStorage({ pool }: Pick<Database, 'pool'>): FileStorage {
  return {
    name: 'postgres',
    async write(fileId, pieces, signal) {
      let index = 0;
      for await (const chunk of inChunks(pieces)) {
        signal.throwIfAborted();
        if (!(await writeFileChunk(pool, fileId, index, chunk))) throw new FileGoneError(fileId);
        index += 1;
      }
    },
    async *read(fileId, { start, end }, signal) {
      for (let position = start; position < end;) {
        signal.throwIfAborted();
        const index = Math.floor(position / CHUNK_BYTES);
        const chunk = await readFileChunk(pool, fileId, index);
        const first = index * CHUNK_BYTES;
        const part = chunk?.subarray(position - first, end - first);
        if (part === undefined || part.length === 0) throw new FileGoneError(fileId);
        yield part;
        position += part.length;
      }
    },
    createUpload: () => Promise.resolve(null),
    uploadKey: () => null,
    async takeUpload(fileId) {
      const bytes = await sizeOfChunks(pool, fileId);
      return bytes === 0 ? null : bytes;
    },
    erase: (key) => deleteFileChunks(pool, key),
    close: () => Promise.resolve(),
  };
}

/** The same bytes in chunks of `CHUNK_BYTES`; the last may be smaller. */
async function* inChunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    for (let rest = piece; rest.length > 0;) {
      const part = rest.subarray(0, CHUNK_BYTES - bytes);
      held.push(part);
      bytes += part.length;
      rest = rest.subarray(part.length);
      if (bytes < CHUNK_BYTES) continue;
      yield Buffer.concat(held, bytes);
      held = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}

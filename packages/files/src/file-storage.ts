import type { FileStorageName } from '@turnpike/store';

/** Bytes of a file: from `start` up to, and without, `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Where an upload goes that does not come through the API. */
export interface UploadTarget {
  url: string;
  headers: Record<string, string>;
}

/** Where the bytes of files are. It knows nothing of tenants: callers ask for files that they have looked up. */
export interface FileStorage {
  readonly name: FileStorageName;
  /** Stores the pieces, in order, and holds no more than a few of them. Throws what `pieces` throws, and the signal's reason. */
  write(fileId: string, pieces: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void>;
  /** The pieces of a part. Throws `FileGoneError` where they are no longer there. */
  read(fileId: string, range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
  /** A URL that takes exactly one file; null where only the API can store bytes. */
  createUpload(
    fileId: string,
    upload: { bytes: number; mediaType: string; seconds: number },
  ): Promise<UploadTarget | null>;
  /** Where such a URL stores what it takes; null where there is none. `turnpike_erase_file` (SQL) names it too. */
  uploadKey(fileId: string): string | null;
  /** Makes what was uploaded the file's own, so that the URL cannot change it any more. Returns its size; null: nothing is there. */
  takeUpload(fileId: string): Promise<number | null>;
  /** Erases what is stored under the key of an `ErasedBytes`. What is not there is erased. */
  erase(key: string): Promise<void>;
  close(): Promise<void>;
}

/** The bytes of a file were erased. */
export class FileGoneError extends Error {
  constructor(fileId: string) {
    super(`The bytes of ${fileId} are gone.`);
    this.name = 'FileGoneError';
  }
}

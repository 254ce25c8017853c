import type { CreatedFile, createFileSchema, File } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery, type TimeQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input } from '../wire/shapes.ts';

export type { CreatedFile, File };

/**
 * The bytes of a file: a `File` or `Blob` of the browser, `openAsBlob(path)` of Node, bytes or text. What a `Blob` is
 * made of: compilers before TypeScript 5.7 and after it name arrays of bytes differently.
 */
export type FileContent = NonNullable<ConstructorParameters<typeof Blob>[0]>[number];

/** A file to upload. Its name and its type are those of `content`, where that is a `File`. */
export interface NewFile extends Partial<Omit<Input<typeof createFileSchema>, 'bytes'>> {
  content: FileContent;
}

export interface FileQuery extends PageQuery, TimeQuery {
  /** Only files that are erased with this session. */
  session_id?: string | undefined;
}

/** A file may be large, and a connection slow. */
const UPLOAD_MS = 10 * 60 * 1000;

/** Files for turns, and those that tools made. */
export class Files {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Uploads a file. Throws `file_type_mismatch` if its content is of another type than declared, and `file_limit`,
   * `file_storage_full` or `file_too_large` at a limit.
   */
  upload(
    { content, filename, media_type: mediaType, ...fields }: NewFile,
    options?: WriteOptions,
  ): Promise<File> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined)
        form.append(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
    }
    const isBlob = content instanceof Blob;
    const type = mediaType ?? (isBlob ? content.type : undefined);
    const blob =
      isBlob && content.type === type ? content : new Blob([content], type === undefined ? {} : { type });
    const ownName = isBlob && 'name' in content && typeof content.name === 'string' ? content.name : 'file';
    // The file comes last: the service reads what is said of it first.
    form.append('file', blob, filename ?? ownName);
    return this.#transport.call(
      { method: 'POST', path: '/v1/files', form },
      { timeoutMs: UPLOAD_MS, ...options },
    );
  }

  /**
   * A URL that somebody else, such as a browser, may `PUT` the file to; then call `complete`. It is relative to
   * `baseUrl` where the service stores files itself. Null if the request was sent before with the same key.
   */
  createUpload(file: Input<typeof createFileSchema>, options?: WriteOptions): Promise<CreatedFile> {
    return this.#transport.call({ method: 'POST', path: '/v1/files', body: file }, options);
  }

  /** All bytes were put to the URL. Throws `upload_incomplete` if not. */
  complete(id: string, options?: WriteOptions): Promise<File> {
    const request = { method: 'POST' as const, path: path`/v1/files/${id}/complete` };
    return this.#transport.call(request, { timeoutMs: UPLOAD_MS, ...options });
  }

  get(id: string, options?: CallOptions): Promise<File> {
    return this.#transport.call({ method: 'GET', path: path`/v1/files/${id}` }, options);
  }

  list(query: FileQuery = {}, options: CallOptions = {}): Pages<File> {
    return new Pages(this.#transport, '/v1/files', { ...query }, options);
  }

  /** The content, or from `start` to (and without) `end`. It is read at your pace: cancel it if you stop early. */
  content(
    id: string,
    { start = 0, end, ...options }: CallOptions & { start?: number; end?: number } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const isPart = start > 0 || end !== undefined;
    const headers: Record<string, string> = isPart
      ? { range: `bytes=${start}-${end === undefined ? '' : end - 1}` }
      : {};
    return this.#transport.stream({ method: 'GET', path: path`/v1/files/${id}/content` }, headers, options);
  }

  /** Messages that have it show the model a short text instead. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/files/${id}` }, options);
  }
}

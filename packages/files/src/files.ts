import { createHash, randomBytes } from 'node:crypto';
import { OTHER_MEDIA_TYPE, ProblemError, type File, type FileUpload, type Limits } from '@turnpike/contract';
import {
  abandonFile,
  claimInspection,
  claimUpload,
  completeFile,
  eraseBytes,
  eraseUpload,
  insertFile,
  readFile,
  recordInspection,
  returnInspection,
  transaction,
  type Database,
  type FileRefusal,
  type InspectedBytes,
  type NewFile,
  type Sql,
  type StoredFile,
} from '@turnpike/store';
import type { Report } from '@turnpike/telemetry';
import { createPostgresStorage } from './postgres-storage.ts';
import type { FileSettings } from './file-settings.ts';
import { FileUpkeep } from './file-upkeep.ts';
import { FileGoneError, type ByteRange } from './file-storage.ts';
import { Inspection } from './inspect-bytes.ts';
import { createFileScan, type FileScan } from './scan-file.ts';
import { Storages } from './storages.ts';

/** A file that is to be stored, before it has its place. */
export type FileRequest = Omit<NewFile, 'storage' | 'uploadToken' | 'uploadSeconds'>;

/** How long bytes that come through this process may take, and how long an upload URL works. */
const DIRECT_SECONDS = 15 * 60;
const URL_SECONDS = 15 * 60;
/** From then until the upload must be complete: it may be large, and the client slow. */
const COMPLETE_SECONDS = 2 * 60 * 60;

/**
 * The files of tenants. The row of a file is committed before its first byte is written, and a file is `ready` only once
 * all its bytes are: so whoever dies in between leaves nothing that is lost, and nothing that is not found and erased.
 */
export class Files {
  readonly #database: Pick<Database, 'pool'>;
  readonly #storages: Storages;
  readonly #scan: FileScan | null;
  readonly upkeep: FileUpkeep;

  constructor(database: Pick<Database, 'pool'>, storages: Storages, scan: FileScan | null, warn: Report) {
    this.#database = database;
    this.#storages = storages;
    this.#scan = scan;
    this.upkeep = new FileUpkeep({ pool: database.pool, storages, scan, warn });
  }

  /** Reserves the quota of a file. Throws `ProblemError`: `file_limit`, `file_storage_full`, `file_too_large`, `not_found`. */
  async reserve(sql: Sql, request: FileRequest, limits: Limits): Promise<StoredFile> {
    return this.#insert(sql, request, limits, { uploadToken: null, uploadSeconds: DIRECT_SECONDS });
  }

  /** As `reserve`, with a URL that takes its bytes. */
  async reserveUpload(
    sql: Sql,
    request: FileRequest,
    limits: Limits,
  ): Promise<{ file: File; upload: FileUpload }> {
    const token = randomBytes(32).toString('base64url');
    const { file } = await this.#insert(sql, request, limits, {
      uploadToken: hashOf(token),
      uploadSeconds: URL_SECONDS + COMPLETE_SECONDS,
    });
    const target = await this.#storages.ofNewFiles.createUpload(file.id, {
      bytes: request.bytes,
      mediaType: request.mediaType,
      seconds: URL_SECONDS,
    });
    return {
      file,
      upload: {
        method: 'PUT',
        // Relative to the collection, `/v1/files`.
        url: target?.url ?? `/v1/file_uploads/${file.id}/${token}`,
        headers: target?.headers ?? { 'content-type': request.mediaType },
        expires_at: new Date(Date.parse(file.created_at) + URL_SECONDS * 1000).toISOString(),
      },
    };
  }

  /**
   * Stores the bytes of a file that was reserved, and inspects them. Throws `ProblemError`: `file_too_large`,
   * `file_type_mismatch`, `invalid_request`, `upload_incomplete` where its time has passed; and what `pieces` throws.
   */
  async receive(
    { file, storage }: StoredFile,
    pieces: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<InspectedBytes> {
    const inspection = new Inspection(file.media_type, file.bytes);
    await this.#write({ file, storage }, inspection.pass(pieces), signal);
    const inspected = inspection.finish();
    const { pool } = this.#database;
    if (await recordInspection(pool, file.id, inspected)) return inspected;
    await eraseBytes(pool, { storage, key: file.id });
    throw tooLate(file.id);
  }

  /** The file whose upload URL ends with this; null where it is of no use, or no longer. It is used once. */
  claimUpload(id: string, token: string): Promise<(StoredFile & { tenantId: string }) | null> {
    return claimUpload(this.#database.pool, id, hashOf(token));
  }

  /** Stores what an upload URL of the API was sent. Throws as `receive`. */
  async receiveUpload(stored: StoredFile, pieces: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const bounded = new Inspection(OTHER_MEDIA_TYPE, stored.file.bytes);
    await this.#write(stored, bounded.pass(pieces), signal);
  }

  async #write(
    { file, storage }: Pick<StoredFile, 'file' | 'storage'>,
    pieces: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#storages.of(storage).write(file.id, pieces, signal);
    } catch (error) {
      throw error instanceof FileGoneError ? tooLate(file.id) : error;
    }
  }

  /**
   * Inspects what an upload URL was sent. Throws `ProblemError`: `not_found`, `upload_incomplete` where not all of it is
   * there, `file_type_mismatch`; then the file is deleted.
   */
  async inspectUpload(tenantId: string, id: string, signal: AbortSignal): Promise<void> {
    const { pool } = this.#database;
    const stored = await readFile(pool, tenantId, id);
    if (stored === null) throw noFile(id);
    const { file, storage: name } = stored;
    if (file.status !== 'uploading' || file.sha256 !== null) return;
    const storage = this.#storages.of(name);
    const uploadKey = storage.uploadKey(id);
    const token = uploadKey === null ? null : await claimInspection(pool, id);
    if (uploadKey !== null && token === null)
      throw new ProblemError('upload_incomplete', `${id} is being completed by another request.`);
    const bytes = await storage.takeUpload(id);
    if (bytes !== file.bytes) {
      if (token !== null) await returnInspection(pool, id, token);
      throw new ProblemError('upload_incomplete', `${bytes ?? 0} of ${file.bytes} bytes are there.`);
    }
    const inspection = new Inspection(file.media_type, file.bytes);
    try {
      const pieces = inspection.pass(storage.read(id, { start: 0, end: bytes }, signal));
      for await (const _piece of pieces);
      if (!(await recordInspection(pool, id, inspection.finish()))) {
        // Another request that inspected the same bytes was faster.
        const now = await readFile(pool, tenantId, id);
        if (now === null || now.file.status === 'uploading') throw tooLate(id);
        return;
      }
      // The URL may be put to again, until it expires.
      if (uploadKey !== null) await eraseUpload(pool, id, { storage: name, key: uploadKey });
    } catch (error) {
      if (error instanceof ProblemError) await this.abandon(id);
      else if (token !== null) await returnInspection(pool, id, token);
      throw error;
    }
  }

  /** Makes a file whose bytes were received, or inspected, one that can be used. Throws `ProblemError`: `upload_incomplete`. */
  async complete(sql: Sql, tenantId: string, id: string): Promise<File> {
    const completed = await completeFile(sql, { tenantId, id }, { needsScan: this.#scan !== null });
    if (completed !== null) return completed.file;
    // Another request was faster.
    const stored = await readFile(sql, tenantId, id);
    if (stored === null || stored.file.status === 'uploading') throw tooLate(id);
    return stored.file;
  }

  /** Deletes a file that will not be completed. */
  async abandon(id: string): Promise<void> {
    await abandonFile(this.#database.pool, id);
    this.upkeep.nudge();
  }

  /** The content of a `ready` file, or a part of it. Throws `FileGoneError` where it is deleted while it is read. */
  read({ file, storage }: StoredFile, range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer> {
    return this.#storages.of(storage).read(file.id, range, signal);
  }

  async close(): Promise<void> {
    await this.upkeep.close();
    await this.#storages.close();
    await this.#scan?.close();
  }

  async #insert(
    sql: Sql,
    request: FileRequest,
    limits: Limits,
    upload: Pick<NewFile, 'uploadToken' | 'uploadSeconds'>,
  ): Promise<StoredFile> {
    const { max_files: mostFiles, max_file_bytes: mostOfOne, max_files_bytes: mostBytes } = limits;
    if (request.bytes > mostOfOne) throw fileTooLarge(mostOfOne);
    const file = { ...request, ...upload, storage: this.#storages.ofNewFiles.name };
    const inserted = await insertFile(sql, file, { mostFiles, mostBytes });
    if ('refusal' in inserted) throw refused(inserted.refusal, request, limits);
    return inserted;
  }

  /** Reserves and stores bytes that are at hand. Throws as `reserve` and `receive`. */
  async add(request: FileRequest, limits: Limits, content: Buffer, signal: AbortSignal): Promise<File> {
    const { pool } = this.#database;
    const stored = await transaction(pool, (sql) => this.reserve(sql, request, limits));
    try {
      await this.receive(stored, piecesOf(content), signal);
      return await this.complete(pool, request.tenantId, request.id);
    } catch (error) {
      await this.abandon(request.id);
      throw error;
    }
  }
}

/** Opens the storage that the settings name. The library for S3 is loaded only where it is used. */
export async function openFiles(
  database: Pick<Database, 'pool'>,
  { s3, scan }: FileSettings,
  warn: Report,
): Promise<Files> {
  const postgres = createPostgresStorage(database);
  const storages =
    s3 === null
      ? new Storages([postgres])
      : new Storages([(await import('./s3-storage.ts')).createS3Storage(s3), postgres]);
  return new Files(database, storages, scan === null ? null : createFileScan(scan), warn);
}

const PIECE_BYTES = 64 * 1024;

async function* piecesOf(content: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < content.length; start += PIECE_BYTES)
    yield content.subarray(start, start + PIECE_BYTES);
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export const noFile = (id: string): ProblemError => new ProblemError('not_found', `There is no file ${id}.`);

/** `most`: the tenant's limit, in bytes. */
export const fileTooLarge = (most: number): ProblemError =>
  new ProblemError('file_too_large', `A file may have ${most} bytes (max_file_bytes).`);

function tooLate(id: string): ProblemError {
  return new ProblemError('upload_incomplete', `${id} is not being uploaded, or its time has passed.`);
}

function refused(refusal: FileRefusal, { sessionId }: FileRequest, limits: Limits): ProblemError {
  switch (refusal) {
    case 'file_limit':
      return new ProblemError(refusal, `The tenant may have ${limits.max_files} files (max_files).`);
    case 'file_storage_full': {
      const detail = `All files together may have ${limits.max_files_bytes} bytes (max_files_bytes).`;
      return new ProblemError(refusal, detail);
    }
    case 'no_session':
      return new ProblemError('not_found', `There is no session ${sessionId ?? ''}.`);
    default:
      return refusal satisfies never;
  }
}

import type { FileMediaType, Metadata } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';
import { FILE_COLUMNS, fileRow, type FileStorageName, type StoredFile } from './stored-file.ts';

export interface NewFile {
  id: string;
  tenantId: string;
  sessionId: string | null;
  /** Of a tool's output. */
  turnId: string | null;
  shared: boolean;
  filename: string;
  mediaType: FileMediaType;
  /** Its size, or the most that it may have. */
  bytes: number;
  metadata: Metadata;
  storage: FileStorageName;
  uploadToken: Buffer | null;
  /** How long its upload may take, and how long it is kept; null: for ever. Seconds. */
  uploadSeconds: number;
  keptSeconds: number | null;
}

/** The most files of a tenant, and of their sizes together. */
export interface FileCaps {
  mostFiles: number;
  mostBytes: number;
}

export type FileRefusal = 'file_limit' | 'file_storage_full' | 'no_session';

/*
 * Invariant: the lock is held until the caller's transaction ends, and what is counted is counted by a later statement.
 * So of two uploads at once, the second counts what is reserved for the first.
 */
const LOCK = {
  name: 'lock-file-quota',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('turnpike.owned files ' || $1, 0))::text AS locked`,
  row: z.object({ locked: z.string() }),
};

const COUNT = {
  name: 'count-files',
  text: `SELECT count(*)::int AS files, coalesce(sum(bytes), 0)::float8 AS bytes FROM files WHERE tenant_id = $1`,
  row: z.object({ files: z.int(), bytes: z.number() }),
};

const INSERT = {
  name: 'insert-file',
  text: `
INSERT INTO files (id, tenant_id, session_id, turn_id, shared, filename, media_type, bytes, metadata, storage,
                   upload_token, upload_until, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, now() + $12::float8 * interval '1 second',
       now() + $13::float8 * interval '1 second'
WHERE ($3::text IS NULL OR EXISTS (SELECT FROM sessions WHERE id = $3 AND tenant_id = $2 FOR KEY SHARE))
  AND ($4::text IS NULL OR EXISTS (SELECT FROM turns WHERE id = $4 AND tenant_id = $2 FOR KEY SHARE))
RETURNING ${FILE_COLUMNS}`,
  row: fileRow,
};

/**
 * Stores a file that is `uploading`, with its share of the tenant's quota. `sql` is in a transaction, which is to be
 * short: others that add files wait for its end.
 */
export async function insertFile(
  sql: Sql,
  file: NewFile,
  { mostFiles, mostBytes }: FileCaps,
): Promise<StoredFile | { refusal: FileRefusal }> {
  const { tenantId } = file;
  await query(sql, LOCK, [tenantId]);
  const [owned] = await query(sql, COUNT, [tenantId]);
  if (owned === undefined || owned.files >= mostFiles) return { refusal: 'file_limit' };
  if (owned.bytes + file.bytes > mostBytes) return { refusal: 'file_storage_full' };
  const [inserted] = await query(sql, INSERT, [
    file.id,
    tenantId,
    file.sessionId,
    file.turnId,
    file.shared,
    file.filename,
    file.mediaType,
    file.bytes,
    json(file.metadata),
    file.storage,
    file.uploadToken,
    file.uploadSeconds,
    file.keptSeconds,
  ]);
  return inserted ?? { refusal: 'no_session' };
}

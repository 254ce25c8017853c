import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { deleteFileChunks } from './file-chunks.ts';
import {
  FILE_COLUMNS,
  fileRow,
  fileStorageSchema,
  type FileStorageName,
  type StoredFile,
} from './stored-file.ts';

const idRow = z.object({ id: z.string() });

const DELETE_EXPIRED = {
  name: 'delete-expired-files',
  text: `
DELETE FROM files WHERE id = ANY (
  ARRAY(SELECT id FROM files WHERE status = 'uploading' AND upload_until <= now()
        ORDER BY upload_until LIMIT $1 FOR UPDATE SKIP LOCKED)
  || ARRAY(SELECT id FROM files WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id`,
  row: idRow,
};

/** Deletes files whose upload was not completed in time, and files that have expired. Returns how many, at most `limit` of each. */
export async function deleteExpiredFiles(sql: Sql, limit: number): Promise<number> {
  return (await query(sql, DELETE_EXPIRED, [limit])).length;
}

/** Bytes that are to be erased. */
export interface ErasedBytes {
  storage: FileStorageName;
  key: string;
}

/* Whoever erases them has a minute: then another process tries. To erase twice does no harm. */
const TAKE = {
  name: 'take-erased-files',
  text: `
UPDATE erased_files SET erase_at = now() + interval '1 minute' FROM (
  SELECT storage, key FROM erased_files WHERE erase_at <= now() AND storage = ANY ($2::text[])
  ORDER BY erase_at LIMIT $1 FOR UPDATE SKIP LOCKED
) AS due
WHERE erased_files.storage = due.storage AND erased_files.key = due.key
RETURNING erased_files.storage, erased_files.key`,
  row: z.object({ storage: fileStorageSchema, key: z.string() }),
};

/** Up to `limit` that are due, of these storages. */
export function takeErasedBytes(
  sql: Sql,
  limit: number,
  storages: readonly FileStorageName[],
): Promise<ErasedBytes[]> {
  return query(sql, TAKE, [limit, storages]);
}

const DONE = {
  name: 'drop-erased-file',
  text: `DELETE FROM erased_files WHERE storage = $1 AND key = $2 RETURNING key`,
  row: z.object({ key: z.string() }),
};

/** They are gone. */
export async function recordErased(sql: Sql, { storage, key }: ErasedBytes): Promise<void> {
  await query(sql, DONE, [storage, key]);
}

/** Erases all that is due of Postgres itself. */
export async function eraseChunks(sql: Sql): Promise<void> {
  for (;;) {
    const due = await takeErasedBytes(sql, 100, ['postgres']);
    if (due.length === 0) return;
    for (const bytes of due) {
      await deleteFileChunks(sql, bytes.key);
      await recordErased(sql, bytes);
    }
  }
}

const NOTE = {
  name: 'note-erased-file',
  text: `
INSERT INTO erased_files (storage, key) VALUES ($1, $2)
ON CONFLICT (storage, key) DO UPDATE SET erase_at = least(erased_files.erase_at, now()) RETURNING key`,
  row: z.object({ key: z.string() }),
};

/** Bytes were written for a file that is gone: whoever deleted it may have erased them before. */
export async function eraseBytes(sql: Sql, { storage, key }: ErasedBytes): Promise<void> {
  await query(sql, NOTE, [storage, key]);
}

/** A file that is to be scanned. */
export interface ScannedFile extends StoredFile {
  tenantId: string;
  /** This one included. */
  scans: number;
}

const TAKE_SCANS = {
  name: 'take-file-scans',
  text: `
UPDATE files SET scans = scans + 1, scan_at = now() + $2::float8 * interval '1 millisecond'
WHERE id = ANY (ARRAY(
  SELECT id FROM files WHERE status = 'pending' AND scan_at <= now() ORDER BY scan_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING ${FILE_COLUMNS}, files.tenant_id AS "tenantId", files.scans`,
  row: z.looseObject({ tenantId: z.string(), scans: z.int() }).transform((row) => ({
    ...fileRow.parse(row),
    tenantId: row.tenantId,
    scans: row.scans,
  })),
};

/** Up to `limit` files that are `pending`, and due; another process takes them again after `limitMs`. */
export function takeScans(sql: Sql, limit: number, limitMs: number): Promise<ScannedFile[]> {
  return query(sql, TAKE_SCANS, [limit, limitMs]);
}

const ACCEPT = {
  name: 'accept-file',
  text: `UPDATE files SET status = 'ready', scan_at = NULL WHERE id = $1 AND status = 'pending' RETURNING id`,
  row: idRow,
};

/* Its bytes are erased at once: what was refused is not kept. */
const REFUSE = {
  name: 'refuse-file',
  text: `
WITH refused AS (
  UPDATE files SET status = 'refused', refusal = $2, scan_at = NULL WHERE id = $1 AND status = 'pending'
  RETURNING id, storage
)
INSERT INTO erased_files (storage, key) SELECT storage, id FROM refused ON CONFLICT DO NOTHING RETURNING key`,
  row: z.object({ key: z.string() }),
};

/** What the scan said of a `pending` file; `refusal` is why it was refused, null where it was not. */
export async function recordScan(sql: Sql, id: string, refusal: string | null): Promise<void> {
  if (refusal === null) await query(sql, ACCEPT, [id]);
  else await query(sql, REFUSE, [id, refusal]);
}

const RETRY = {
  name: 'retry-file-scan',
  text: `UPDATE files SET scan_at = now() + $2::float8 * interval '1 millisecond' WHERE id = $1 AND status = 'pending' RETURNING id`,
  row: idRow,
};

/** The scan gave no answer, and is tried again. */
export async function retryScan(sql: Sql, id: string, waitMs: number): Promise<void> {
  await query(sql, RETRY, [id, waitMs]);
}

import type { ImageSize } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { FILE_COLUMNS, fileRow, type StoredFile, type FileStorageName } from './stored-file.ts';

/** What was found out about bytes that are all stored, and that nobody can change any more. */
export interface InspectedBytes {
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  size: ImageSize | null;
}

const INSPECT = {
  name: 'record-file-inspection',
  text: `
UPDATE files SET bytes = $2, sha256 = $3, width = $4, height = $5
WHERE id = $1 AND status = 'uploading' AND upload_until > now() RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** False where the file is not `uploading`, or its time has passed. */
export async function recordInspection(
  sql: Sql,
  id: string,
  { bytes, sha256, size }: InspectedBytes,
): Promise<boolean> {
  const values = [id, bytes, sha256, size?.width ?? null, size?.height ?? null];
  return (await query(sql, INSPECT, values)).length > 0;
}

const COMPLETE = {
  name: 'complete-file',
  text: `
UPDATE files SET upload_token = NULL, status = CASE WHEN $3 THEN 'pending' ELSE 'ready' END,
  scan_at = CASE WHEN $3 THEN now() END
WHERE id = $1 AND tenant_id = $2 AND status = 'uploading' AND sha256 IS NOT NULL AND upload_until > now()
RETURNING ${FILE_COLUMNS}`,
  row: fileRow,
};

/** Its bytes are all stored and inspected. Null where it is not `uploading`, or its time has passed. */
export async function completeFile(
  sql: Sql,
  { tenantId, id }: { tenantId: string; id: string },
  { needsScan }: { needsScan: boolean },
): Promise<StoredFile | null> {
  const [completed] = await query(sql, COMPLETE, [id, tenantId, needsScan]);
  return completed ?? null;
}

const ABANDON = {
  name: 'abandon-file',
  text: `DELETE FROM files WHERE id = $1 AND status = 'uploading' RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Deletes a file whose upload will not be completed. */
export async function abandonFile(sql: Sql, id: string): Promise<void> {
  await query(sql, ABANDON, [id]);
}

const CLAIM = {
  name: 'claim-upload',
  text: `
UPDATE files SET upload_token = NULL
WHERE id = $1 AND upload_token = $2 AND status = 'uploading' AND upload_until > now()
RETURNING ${FILE_COLUMNS}, files.tenant_id AS "tenantId"`,
  row: z.looseObject({ tenantId: z.string() }).transform((row) => ({
    ...fileRow.parse(row),
    tenantId: row.tenantId,
  })),
};

/** The file that a token is for; null where the token is of no use, or no longer. It is used once. */
export async function claimUpload(
  sql: Sql,
  id: string,
  tokenHash: Buffer,
): Promise<(StoredFile & { tenantId: string }) | null> {
  const [claimed] = await query(sql, CLAIM, [id, tokenHash]);
  return claimed ?? null;
}

const CLAIM_INSPECTION = {
  name: 'claim-file-inspection',
  text: `
WITH claimed AS MATERIALIZED (
  SELECT id, upload_token FROM files
  WHERE id = $1 AND upload_token IS NOT NULL AND status = 'uploading' AND upload_until > now() FOR NO KEY UPDATE
)
UPDATE files SET upload_token = NULL FROM claimed WHERE files.id = claimed.id
RETURNING claimed.upload_token AS token`,
  row: z.object({ token: z.instanceof(Buffer) }),
};

/**
 * Makes the caller the only one who takes over what an upload URL of object storage wrote. Null where somebody else
 * is, or did.
 */
export async function claimInspection(sql: Sql, id: string): Promise<Buffer | null> {
  const [claimed] = await query(sql, CLAIM_INSPECTION, [id]);
  return claimed?.token ?? null;
}

const RETURN = {
  name: 'return-file-inspection',
  text: `UPDATE files SET upload_token = $2 WHERE id = $1 AND status = 'uploading' RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Nothing was there to be taken over: the caller may ask again. */
export async function returnInspection(sql: Sql, id: string, token: Buffer): Promise<void> {
  await query(sql, RETURN, [id, token]);
}

const EXPECT_ERASE = {
  name: 'erase-upload',
  text: `
INSERT INTO erased_files (storage, key, erase_at)
SELECT $2, $3, upload_until FROM files WHERE id = $1
ON CONFLICT DO NOTHING RETURNING key`,
  row: z.object({ key: z.string() }),
};

/** What an upload URL wrote, which is stored at `key`, is erased once nobody can write it any more. */
export async function eraseUpload(
  sql: Sql,
  id: string,
  { storage, key }: { storage: FileStorageName; key: string },
): Promise<void> {
  await query(sql, EXPECT_ERASE, [id, storage, key]);
}

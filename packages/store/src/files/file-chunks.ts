import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** Of each chunk but the last: one row is read and written at once, so this is what a reader holds. */
export const CHUNK_BYTES = 256 * 1024;

/*
 * Invariant: a chunk is written only while its file is `uploading`, under a lock that a deletion of the file waits for.
 * So there is none that the note of the deletion does not cover.
 */
const WRITE = {
  name: 'write-file-chunk',
  text: `
INSERT INTO file_chunks (file_id, index, data)
SELECT id, $2, $3 FROM (SELECT id FROM files WHERE id = $1 AND status = 'uploading' FOR KEY SHARE) AS file
ON CONFLICT (file_id, index) DO UPDATE SET data = excluded.data
RETURNING index`,
  row: z.object({ index: z.int() }),
};

/** False where the file is not `uploading`, or no longer. */
export async function writeFileChunk(
  sql: Sql,
  fileId: string,
  index: number,
  data: Buffer,
): Promise<boolean> {
  const written = await query(sql, WRITE, [fileId, index, data]);
  return written.length > 0;
}

const READ = {
  name: 'read-file-chunk',
  text: `SELECT data FROM file_chunks WHERE file_id = $1 AND index = $2`,
  row: z.object({ data: z.instanceof(Buffer) }),
};

export async function readFileChunk(sql: Sql, fileId: string, index: number): Promise<Buffer | null> {
  const [chunk] = await query(sql, READ, [fileId, index]);
  return chunk?.data ?? null;
}

const SIZE = {
  name: 'size-file-chunks',
  text: `SELECT count(*)::int AS chunks, coalesce(sum(octet_length(data)), 0)::float8 AS bytes FROM file_chunks WHERE file_id = $1`,
  row: z.object({ chunks: z.int(), bytes: z.number() }),
};

/** How many bytes of a file are stored. */
export async function sizeOfChunks(sql: Sql, fileId: string): Promise<number> {
  const [size] = await query(sql, SIZE, [fileId]);
  return size?.bytes ?? 0;
}

const DELETE = {
  name: 'delete-file-chunks',
  text: `
DELETE FROM file_chunks WHERE file_id = $1 AND index = ANY (ARRAY(
  SELECT index FROM file_chunks WHERE file_id = $1 ORDER BY index LIMIT $2)) RETURNING index`,
  row: z.object({ index: z.int() }),
};

/** Chunks of one statement: a large file is deleted in several. */
const BATCH = 64;

export async function deleteFileChunks(sql: Sql, fileId: string): Promise<void> {
  while ((await query(sql, DELETE, [fileId, BATCH])).length === BATCH);
}

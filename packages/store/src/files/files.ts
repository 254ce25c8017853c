import type { File } from '@turnpike/contract';
import { z } from 'zod';
import { inRange, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { query, type Sql } from '../database/sql.ts';
import { FILE_COLUMNS, fileRow, NOT_EXPIRED, type StoredFile } from './stored-file.ts';

const READ = {
  name: 'read-file',
  text: `SELECT ${FILE_COLUMNS} FROM files WHERE id = $1 AND tenant_id = $2 AND ${NOT_EXPIRED}`,
  row: fileRow,
};

/** Null if the file does not exist, has expired or belongs to another tenant. */
export async function readFile(sql: Sql, tenantId: string, id: string): Promise<StoredFile | null> {
  const [file] = await query(sql, READ, [id, tenantId]);
  return file ?? null;
}

const LIST = {
  name: 'list-files',
  text: `
SELECT ${FILE_COLUMNS} FROM files
WHERE files.tenant_id = $1 AND ${inRange('files')} AND ${NOT_EXPIRED}
  AND ($7::text IS NULL OR files.session_id = $7)
ORDER BY files.id DESC LIMIT $6`,
  row: fileRow,
};

/** A tenant's files, newest first, those after the cursor. */
export async function listFiles(
  sql: Sql,
  tenantId: string,
  page: ListPage,
  filter: TimeRange & { sessionId?: string | undefined },
): Promise<File[]> {
  const values = [tenantId, ...rangeValues('file', page, filter), filter.sessionId ?? null];
  return (await query(sql, LIST, values)).map(({ file }) => file);
}

const DELETE = {
  name: 'delete-file',
  text: `DELETE FROM files WHERE id = $1 AND tenant_id = $2 AND ${NOT_EXPIRED} RETURNING ${FILE_COLUMNS}`,
  row: fileRow,
};

/** Its bytes are erased by the next pass. Null if there is no such file. */
export async function deleteFile(sql: Sql, tenantId: string, id: string): Promise<File | null> {
  const [deleted] = await query(sql, DELETE, [id, tenantId]);
  return deleted?.file ?? null;
}

const READ_SOME = {
  name: 'read-files',
  text: `
SELECT ${FILE_COLUMNS} FROM files WHERE tenant_id = $1 AND id = ANY ($2::text[]) AND ${NOT_EXPIRED}`,
  row: fileRow,
};
const LOCK = { ...READ_SOME, name: 'lock-files', text: `${READ_SOME.text} ORDER BY id FOR NO KEY UPDATE` };

/** The tenant's files among these ids. */
export async function readFiles(sql: Sql, tenantId: string, ids: readonly string[]): Promise<File[]> {
  return (await query(sql, READ_SOME, [tenantId, ids])).map(({ file }) => file);
}

/** The tenant's files among these ids. Nobody deletes them until the transaction ends. */
export async function lockFiles(sql: Sql, tenantId: string, ids: readonly string[]): Promise<File[]> {
  return (await query(sql, LOCK, [tenantId, ids])).map(({ file }) => file);
}

const JOIN = {
  name: 'join-files',
  text: `
UPDATE files SET session_id = $3
WHERE tenant_id = $1 AND id = ANY ($2::text[]) AND session_id IS NULL AND NOT shared RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** From now on those that have no session, and are not shared, are erased with this one. */
export async function giveFilesToSession(
  sql: Sql,
  tenantId: string,
  ids: readonly string[],
  sessionId: string,
): Promise<void> {
  await query(sql, JOIN, [tenantId, ids, sessionId]);
}

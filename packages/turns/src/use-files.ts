import {
  fileIdsIn,
  findUnfitFiles,
  ProblemError,
  type ContentBlock,
  type File,
  type ValidationIssue,
} from '@turnpike/contract';
import { giveFilesToSession, lockFiles, readFiles, type Sql } from '@turnpike/store';

/** Content of a client, and its path in the request. */
export interface GivenContent {
  blocks: readonly ContentBlock[];
  path: string;
}

/** The files that content names, locked until the transaction ends. */
export interface UsedFiles {
  files: ReadonlyMap<string, File>;
  /** From now on those that belong to no session are erased with this one. The session must be stored. */
  giveTo(sessionId: string): Promise<void>;
}

/**
 * Looks up the files that content names. `sql` is in a transaction. Throws `ProblemError`: `not_found` for one that the
 * tenant does not have, `file_not_ready`, `file_refused`, `invalid_request` for one that its block cannot be.
 */
export async function useFiles(
  sql: Sql,
  tenantId: string,
  contents: readonly GivenContent[],
): Promise<UsedFiles> {
  const ids = fileIdsIn(contents.flatMap(({ blocks }) => blocks));
  if (ids.length === 0) return { files: new Map(), giveTo: () => Promise.resolve() };
  const files = byId(await lockFiles(sql, tenantId, ids));
  for (const id of ids) checkUsable(id, files.get(id));
  checkFit(contents, files);
  return { files, giveTo: (sessionId) => giveFilesToSession(sql, tenantId, ids, sessionId) };
}

/**
 * As `useFiles`, of content that is used later, so that nothing is locked, and a file may still be uploaded or scanned
 * until then.
 */
export async function checkFiles(
  sql: Sql,
  tenantId: string,
  blocks: readonly ContentBlock[],
  path: string,
): Promise<void> {
  const ids = fileIdsIn(blocks);
  if (ids.length === 0) return;
  const files = byId(await readFiles(sql, tenantId, ids));
  for (const id of ids) {
    try {
      checkUsable(id, files.get(id));
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'file_not_ready') throw error;
    }
  }
  checkFit([{ blocks, path }], files);
}

function byId(files: readonly File[]): Map<string, File> {
  return new Map(files.map((file) => [file.id, file]));
}

function checkFit(contents: readonly GivenContent[], files: ReadonlyMap<string, File>): void {
  const issues = contents.flatMap(({ blocks, path }): ValidationIssue[] =>
    findUnfitFiles(blocks, files, path),
  );
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
}

function checkUsable(id: string, file: File | undefined): void {
  if (file === undefined) throw new ProblemError('not_found', `There is no file ${id}.`);
  if (file.status === 'ready') return;
  if (file.status === 'refused')
    throw new ProblemError('file_refused', `The scan refused ${id}: ${file.refusal ?? ''}`.trimEnd());
  const why = file.status === 'pending' ? 'it has not been scanned yet' : 'its upload is not complete';
  throw new ProblemError('file_not_ready', `${id} cannot be used: ${why}.`);
}

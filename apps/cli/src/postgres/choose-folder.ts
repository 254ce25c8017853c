import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The data folder for a Postgres that may not enter a folder of root. */
const SHARED_FOLDER = '/var/lib/turnpike';

const ENTER_FOR_OTHERS = 0o001;

/**
 * The data folder of the embedded Postgres: inside `stateFolder`. For root, whose Postgres runs as another user, that
 * folder may not be accessible; then it is another folder, always the same one.
 */
export async function choosePostgresFolder(stateFolder: string): Promise<string> {
  const project = await realpath(dirname(stateFolder));
  if (process.getuid?.() !== 0 || (await isOpenToOthers(project))) return join(stateFolder, 'postgres');
  const mark = createHash('sha256').update(project).digest('hex').slice(0, 12);
  return join(await sharedFolder(), `${basename(project)}-${mark}`);
}

/** A folder that root owns and every user may enter; created where it is missing. */
export async function sharedFolder(): Promise<string> {
  await mkdir(SHARED_FOLDER, { recursive: true });
  // Independent of the umask.
  await chmod(SHARED_FOLDER, 0o711);
  return SHARED_FOLDER;
}

/** True where every user may enter this folder and all its parents. */
export async function isOpenToOthers(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & ENTER_FOR_OTHERS) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isOpenToOthers(parent);
}

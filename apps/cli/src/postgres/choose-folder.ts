import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Where a service keeps its data when a folder of root's own is none that it may enter. */
const SHARED_FOLDER = '/var/lib/turnpike';

const ENTER_FOR_OTHERS = 0o001;

/**
 * Where the embedded Postgres keeps its data: inside `stateFolder`. For root, whose Postgres runs as
 * another user, that folder may be out of reach; then it is one elsewhere, always the same one.
 */
export async function choosePostgresFolder(stateFolder: string): Promise<string> {
  const project = await realpath(dirname(stateFolder));
  if (process.getuid?.() !== 0 || (await isOpenToOthers(project))) return join(stateFolder, 'postgres');
  const mark = createHash('sha256').update(project).digest('hex').slice(0, 12);
  return join(await sharedFolder(), `${basename(project)}-${mark}`);
}

/** A folder that root owns and everybody may enter; made where it is not there yet. */
export async function sharedFolder(): Promise<string> {
  await mkdir(SHARED_FOLDER, { recursive: true });
  // Whatever the umask is.
  await chmod(SHARED_FOLDER, 0o711);
  return SHARED_FOLDER;
}

/** True when every user may enter this folder, all those that it lies in included. */
export async function isOpenToOthers(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & ENTER_FOR_OTHERS) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isOpenToOthers(parent);
}

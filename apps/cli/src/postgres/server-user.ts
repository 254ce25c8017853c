import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Failure } from '../failure.ts';

const NAME = 'postgres';
const run = promisify(execFile);

/** Ids to run as. Empty: those of this process. */
export type ServerUser = { uid: number; gid: number } | Record<string, never>;

/** Postgres refuses to run as root; there it runs as a separate user, created where it is missing. */
export async function findServerUser(): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return {};
  try {
    return (await readIds()) ?? (await makeUser());
  } catch {
    throw new Failure(
      `Postgres does not run as root, and the user "${NAME}" could not be created for it: start as another user, or set DATABASE_URL.`,
    );
  }
}

async function readIds(): Promise<ServerUser | null> {
  try {
    const [user, group] = await Promise.all([run('id', ['-u', NAME]), run('id', ['-g', NAME])]);
    return { uid: Number(user.stdout), gid: Number(group.stdout) };
  } catch {
    return null;
  }
}

async function makeUser(): Promise<ServerUser> {
  // The group may exist without the user.
  await run('groupadd', ['--system', NAME]).catch(() => undefined);
  await run('useradd', ['--system', '--gid', NAME, '--no-create-home', '--shell', '/usr/sbin/nologin', NAME]);
  const ids = await readIds();
  if (ids === null) throw new Failure(`The user "${NAME}" was created but cannot be found.`);
  return ids;
}

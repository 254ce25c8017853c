import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readServerEnvironment } from '../config.ts';
import type { Binaries } from './find-binaries.ts';
import type { ServerUser } from './server-user.ts';

export interface ClusterSettings {
  folder: string;
  binaries: Binaries;
  user: ServerUser;
  isThrowaway: boolean;
}

/** Creates the data folder of a Postgres where it is missing. An existing one is not changed. */
export async function prepareCluster(
  settings: ClusterSettings,
): Promise<{ dataFolder: string; password: string }> {
  const { folder, user } = settings;
  const dataFolder = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  if (!(await exists(join(dataFolder, 'PG_VERSION')))) {
    await mkdir(folder, { recursive: true });
    // Other users may traverse it, and only where the server runs as another user.
    await chmod(folder, 'uid' in user ? 0o711 : 0o700);
    await rm(passwordFile, { force: true });
    await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
    await give(passwordFile, user);
    await initialise(dataFolder, passwordFile, settings);
  }
  return { dataFolder, password: await readFile(passwordFile, 'utf8') };
}

/** Creates it under a temporary name first, so that a folder of the final name is always complete. */
async function initialise(
  dataFolder: string,
  passwordFile: string,
  { binaries, user, isThrowaway }: ClusterSettings,
): Promise<void> {
  const unfinished = `${dataFolder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await give(unfinished, user);
  const flags = [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(isThrowaway ? ['--no-sync'] : []),
  ];
  await promisify(execFile)(binaries.initdb, flags, {
    ...user,
    env: { ...readServerEnvironment(), LC_ALL: 'C' },
  });
  await rename(unfinished, dataFolder);
}

async function give(path: string, user: ServerUser): Promise<void> {
  if ('uid' in user) await chown(path, user.uid, user.gid);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

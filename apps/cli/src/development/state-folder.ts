import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { environmentFile } from './command-environment.ts';
import { describeError, Failure } from '../failure.ts';

/** What `start` keeps below the working directory. */
export interface StateFolder {
  path: string;
  /** Who runs here. */
  runFile: string;
  /** The development key: the database has only its hash. */
  keyFile: string;
  /** What secrets are sealed with: the database has nothing of it. */
  masterKeysFile: string;
  /** What commands in this directory work on. */
  environmentFile: string;
  /** The log of one program. */
  logFile(name: string): string;
}

/** Makes `.turnpike` in this directory, where it is not there yet. */
export async function openStateFolder(directory: string): Promise<StateFolder> {
  const path = join(directory, '.turnpike');
  try {
    await mkdir(join(path, 'logs'), { recursive: true });
    // Root's Postgres is another user, who must get through to its own folder in here.
    await chmod(path, process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (error) {
    throw new Failure(`The folder ${path} cannot be used: ${describeError(error)}.`);
  }
  return {
    path,
    runFile: join(path, 'running.json'),
    keyFile: join(path, 'development-key'),
    masterKeysFile: join(path, 'development-master-keys'),
    environmentFile: environmentFile(directory),
    logFile: (name) => join(path, 'logs', `${name}.log`),
  };
}

/** Empties the log of one program for a new start, and returns its path. */
export async function newLog(folder: StateFolder, name: string): Promise<string> {
  const path = folder.logFile(name);
  await writeFile(path, '', { mode: 0o600 });
  return path;
}

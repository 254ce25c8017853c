import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { environmentFile } from './command-environment.ts';
import { describeError, Failure } from '../failure.ts';

/** The files that `start` keeps in the working directory. */
export interface StateFolder {
  path: string;
  /** Lists the running processes. */
  runFile: string;
  /** The development key: the database has only its hash. */
  keyFile: string;
  /** The master keys, which are not in the database. */
  masterKeysFile: string;
  /** The environment for commands in this directory. */
  environmentFile: string;
  /** The log of one program. */
  logFile(name: string): string;
}

/** Creates `.turnpike` in this directory where it is missing. */
export async function openStateFolder(directory: string): Promise<StateFolder> {
  const path = join(directory, '.turnpike');
  try {
    await mkdir(join(path, 'logs'), { recursive: true });
    // Where root starts it, Postgres runs as another user, who needs access to the data folder in here.
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

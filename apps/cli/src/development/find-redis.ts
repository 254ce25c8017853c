import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** The least version that the queue needs. */
const LEAST = { major: 6, minor: 2 };

/** A `redis-server` that can be used, or the reason why there is none. */
export async function findRedis(searchPath: string): Promise<{ executable: string } | { reason: string }> {
  const executable = await findExecutable('redis-server', searchPath);
  if (executable === null) return { reason: 'no redis-server on PATH' };
  const version = await readVersion(executable);
  if (version === null) return { reason: 'the redis-server on PATH does not tell its version' };
  const { major, minor } = version;
  if (major < LEAST.major || (major === LEAST.major && minor < LEAST.minor)) {
    return {
      reason: `redis-server on PATH is ${major}.${minor}, ${LEAST.major}.${LEAST.minor} is the least`,
    };
  }
  return { executable };
}

async function findExecutable(name: string, searchPath: string): Promise<string | null> {
  for (const folder of searchPath.split(delimiter).filter((entry) => entry !== '')) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}

async function readVersion(executable: string): Promise<{ major: number; minor: number } | null> {
  try {
    const { stdout } = await promisify(execFile)(executable, ['--version'], { timeout: 10_000 });
    const [, major, minor] = /v=(\d+)\.(\d+)/.exec(stdout) ?? [];
    return major === undefined ? null : { major: Number(major), minor: Number(minor) };
  } catch {
    return null;
  }
}

import { mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Far more than all tests that run at once keep there. */
const WANTED_BYTES = 4 * 1024 ** 3;

/** What keeps its files in memory, on Linux; in a container it may be too small. */
const MEMORY = '/dev/shm';

/**
 * A new folder for files of a database server, in memory where there is room: a database is three hundred files, and
 * to make and remove these is most of what one of its own costs a test.
 */
export function makeScratchFolder(prefix: string): string {
  return mkdtempSync(join(hasRoom(MEMORY) ? MEMORY : tmpdir(), prefix));
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= WANTED_BYTES;
  } catch {
    return false;
  }
}

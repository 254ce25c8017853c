import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { endProcess } from '../children/end-process.ts';
import { commandOf } from '../children/process-identity.ts';
import { Failure } from '../failure.ts';

/**
 * Ends a server that still runs on this folder because the processes that watched it were killed. A pid file that names
 * another kind of process is removed: process ids are reused, above all after a restart of a container, and Postgres
 * would treat any process of this user as its server.
 */
export async function endLeftoverServer(dataFolder: string): Promise<void> {
  const pidFile = join(dataFolder, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (Number.isNaN(pid)) return;
  const command = commandOf(pid);
  if (command === null) return;
  const isServer = (): boolean => commandOf(pid)?.includes(dataFolder) === true;
  if (!isServer()) {
    await rm(pidFile, { force: true });
  } else if (!(await endProcess(pid, isServer))) {
    throw new Failure(`A Postgres that an earlier start left (process ${pid}) cannot be ended.`);
  }
}

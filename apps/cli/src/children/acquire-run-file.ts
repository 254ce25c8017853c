import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { endProcess } from './end-process.ts';
import { createRunFile, isThere, knownProcess, readRun, removeRunFile, type Run } from './run-file.ts';

/**
 * Makes this process the one that runs in this directory. First ends the processes that a killed start left behind:
 * they hold the port and the database's folder.
 * Throws a `Failure` where another start is running.
 */
export async function acquireRunFile(path: string): Promise<Run> {
  const cli = knownProcess('turnpike', process.pid);
  const run: Run = {
    cli: cli ?? { name: 'turnpike', pid: process.pid, identity: '' },
    children: [],
  };
  while (!createRunFile(path, run)) {
    const earlier = readRun(path);
    if (earlier !== null && isThere(earlier.cli)) {
      throw new Failure(`Turnpike already runs here, as process ${earlier.cli.pid}.`);
    }
    if (earlier !== null) await endLeftovers(earlier);
    removeRunFile(path);
  }
  return run;
}

async function endLeftovers(earlier: Run): Promise<void> {
  const leftovers = earlier.children.filter(isThere).toReversed();
  if (leftovers.length === 0) return;
  say(`An earlier start was killed; ending what it left: ${leftovers.map(({ name }) => name).join(', ')}.`);
  const ended = await Promise.all(leftovers.map((left) => endProcess(left.pid, () => isThere(left))));
  const stubborn = leftovers.filter((_, index) => ended[index] === false);
  if (stubborn.length > 0) {
    const names = stubborn.map(({ name, pid }) => `${name} (${pid})`).join(', ');
    throw new Failure(`An earlier start left processes that cannot be ended: ${names}.`);
  }
}

import { readdir, readFile } from 'node:fs/promises';

/** Ticks of /proc: Linux says 100 a second to every program, whatever the kernel counts. */
const MS_PER_TICK = 10;

interface ProcessStat {
  parent: number;
  /** Milliseconds of processor time of all its threads. */
  ownMs: number;
  /** Of its children that have ended and were waited for. */
  endedChildrenMs: number;
}

/** Milliseconds of processor time that a process used, its threads included. Linux only. */
export async function processorMs(pid: number): Promise<number> {
  return (await readStat(pid))?.ownMs ?? 0;
}

/** The same of a process and all its children, those that have ended included: a server that forks. */
export async function processorMsOfTree(pid: number): Promise<number> {
  const root = await readStat(pid);
  if (root === null) return 0;
  let sum = root.ownMs + root.endedChildrenMs;
  for (const entry of await readdir('/proc')) {
    const child = /^\d+$/.test(entry) ? await readStat(Number(entry)) : null;
    if (child?.parent === pid) sum += child.ownMs;
  }
  return sum;
}

export async function parentOf(pid: number): Promise<number> {
  const stat = await readStat(pid);
  if (stat === null) throw new Error(`There is no process ${pid}.`);
  return stat.parent;
}

/** Null for a process that has ended. See proc_pid_stat(5). */
async function readStat(pid: number): Promise<ProcessStat | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name of the program, in parentheses, may hold spaces.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const field = (number: number): number => fields[number - 3] ?? 0;
  return {
    parent: field(4),
    ownMs: (field(14) + field(15)) * MS_PER_TICK,
    endedChildrenMs: (field(16) + field(17)) * MS_PER_TICK,
  };
}

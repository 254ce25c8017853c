import { readdir, readFile } from 'node:fs/promises';

/** A server starts few; one that starts processes without an end is found out by their memory. */
const MOST_PROCESSES = 500;
const LOOK_EVERY_MS = 1_000;

/** The memory of a process and of all that it started, and their ids. Nothing where the system does not tell: only Linux does. */
export async function memoryOf(pid: number): Promise<{ bytes: number; pids: number[] }> {
  const found = { bytes: 0, pids: [] as number[] };
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.pids.length >= MOST_PROCESSES) break;
    const read = await readProcess(next);
    if (read === null) continue;
    found.pids.push(next);
    found.bytes += read.bytes;
    waiting.push(...read.children);
  }
  return found;
}

/** Null for a process that has ended. */
async function readProcess(pid: number): Promise<{ bytes: number; children: number[] } | null> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    const threads = await readdir(`/proc/${pid}/task`);
    const lists = await Promise.all(
      threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
    );
    const children = lists.flatMap((list) => list.split(' ').filter((id) => id !== ''));
    return { bytes: kibibytes * 1_024, children: children.map(Number) };
  } catch {
    return null;
  }
}

/** Calls `onExceeded`, once, with the memory and all processes of one that holds more than its limit. Returns how to stop. */
export function watchMemory(
  pidOf: () => number | null,
  limitBytes: number,
  onExceeded: (found: { bytes: number; pids: number[] }) => void,
): () => void {
  let isLooking = false;
  let isStopped = false;
  const look = async (pid: number): Promise<void> => {
    isLooking = true;
    const found = await memoryOf(pid);
    isLooking = false;
    if (isStopped || found.bytes <= limitBytes) return;
    stop();
    onExceeded(found);
  };
  const timer = setInterval(() => {
    const pid = pidOf();
    if (pid !== null && !isLooking) void look(pid);
  }, LOOK_EVERY_MS).unref();
  const stop = (): void => {
    isStopped = true;
    clearInterval(timer);
  };
  return stop;
}

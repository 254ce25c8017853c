import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;

/** Asks, insists, ends. Postgres reads the first two as "drop the clients" and "drop everything". */
const STEPS: readonly { signal: NodeJS.Signals; waitMs: number }[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 2_000 },
];

/** Ends a process (a negative number: a process group) by all means. False when it is there all the same. */
export async function endProcess(pid: number, isThere: () => boolean): Promise<boolean> {
  for (const { signal, waitMs } of STEPS) {
    if (!isThere()) return true;
    sendSignal(pid, signal);
    if (await untilGone(isThere, waitMs)) return true;
  }
  return false;
}

/** Waits until a process is gone. False when the time is over and it is not. */
export async function untilGone(isThere: () => boolean, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (isThere()) {
    if (performance.now() > end) return false;
    await delay(LOOK_EVERY_MS);
  }
  return true;
}

/** False when there is nobody to hear it. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

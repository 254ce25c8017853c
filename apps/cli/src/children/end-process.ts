import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;

/** In this order. Postgres treats the first two as a fast and an immediate shutdown. */
const STEPS: readonly { signal: NodeJS.Signals; waitMs: number }[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 2_000 },
];

/** Ends a process (a negative id: a process group). False where it still runs. */
export async function endProcess(pid: number, isThere: () => boolean): Promise<boolean> {
  for (const { signal, waitMs } of STEPS) {
    if (!isThere()) return true;
    sendSignal(pid, signal);
    if (await untilGone(isThere, waitMs)) return true;
  }
  return false;
}

/** Waits until a process has exited. False where it has not in time. */
export async function untilGone(isThere: () => boolean, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (isThere()) {
    if (performance.now() > end) return false;
    await delay(LOOK_EVERY_MS);
  }
  return true;
}

/** Sends a signal. False where there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

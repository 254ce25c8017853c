import { readFileSync, readlinkSync } from 'node:fs';

/** The id of the calling thread; null where the system does not tell. */
export function ownThreadId(): number | null {
  try {
    // The link is `<process>/task/<thread>`.
    const id = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    return Number.isInteger(id) ? id : null;
  } catch {
    return null;
  }
}

/** Milliseconds that a thread of this process has run on a processor; null where the system does not tell. */
export function threadTimeMs(threadId: number): number | null {
  try {
    // Nanoseconds run, nanoseconds waited, and the number of times that it was run.
    const [ran] = readFileSync(`/proc/self/task/${threadId}/schedstat`, 'utf8').split(' ');
    const nanoseconds = Number(ran);
    return ran === undefined || Number.isNaN(nanoseconds) ? null : nanoseconds / 1e6;
  } catch {
    return null;
  }
}

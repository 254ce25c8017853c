const FIRST_MS = 500;
const MOST_MS = 10_000;

/**
 * Waits before something is tried again: longer each time, and no longer than until the network is back or the page is
 * looked at. Rejects where `signal` is aborted.
 */
export function untilWorthTrying(attempt: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const pause = Math.min(FIRST_MS * 2 ** attempt, MOST_MS);
    // Pages that lost the same server do not all come back at the same moment.
    const timer = setTimeout(end, pause * (0.5 + Math.random() / 2));
    window.addEventListener('online', end);
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', end);
    function look(): void {
      if (document.visibilityState === 'visible') end();
    }
    function end(): void {
      clearTimeout(timer);
      window.removeEventListener('online', end);
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(new Error('Nobody waits any more.'));
      else resolve();
    }
  });
}

import { plainError } from './errors.ts';

const QUIET_MS = 10_000;
const MOST_REMEMBERED = 100;

/**
 * Passes errors on, but the same message at most once in ten seconds: during an outage each of
 * the connections fails every second or two, and says the same each time.
 */
export function quietReports(onError: (error: Error) => void): (error: unknown) => void {
  const reportedAt = new Map<string, number>();
  return (error) => {
    const plain = plainError(error);
    const now = performance.now();
    if (now - (reportedAt.get(plain.message) ?? -Infinity) < QUIET_MS) return;
    if (reportedAt.size >= MOST_REMEMBERED) reportedAt.clear();
    reportedAt.set(plain.message, now);
    onError(plain);
  };
}

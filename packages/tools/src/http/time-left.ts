/** The time that a call has left, by a monotonic clock. */
export interface TimeLeft {
  ms(): number;
}

/** `now`: milliseconds of a monotonic clock. */
export function startTime(limitMs: number, now: () => number = () => performance.now()): TimeLeft {
  const end = now() + limitMs;
  return { ms: () => Math.max(0, end - now()) };
}

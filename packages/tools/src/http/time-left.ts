/** The time that a call has, by a clock that only goes forward. */
export interface TimeLeft {
  ms(): number;
}

/** `now`: milliseconds that only go forward. */
export function startTime(limitMs: number, now: () => number = () => performance.now()): TimeLeft {
  const end = now() + limitMs;
  return { ms: () => Math.max(0, end - now()) };
}

import { z } from 'zod';

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Waits after the first attempt, the second and so on; a little more than a day in all. */
export const DEFAULT_RETRY_SCHEDULE = '5s,5m,30m,2h,5h,8h,10h';

const stepSchema = z
  .string()
  .trim()
  .regex(/^\d{1,6}(ms|s|m|h)$/, 'must be a number with ms, s, m or h')
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)?.[0] as keyof typeof UNITS_MS;
    return Number.parseInt(text, 10) * UNITS_MS[unit];
  });

/** Reads `5s,5m,2h` into milliseconds. */
export const retryScheduleSchema = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(stepSchema).min(1).max(15));

/** Up to a fifth more: deliveries that failed together are not retried together. */
const JITTER = 0.2;
/** A receiver cannot delay its deliveries for longer. */
const MAX_RETRY_AFTER_MS = 10 * UNITS_MS.h;

/**
 * Milliseconds to wait after an attempt that failed; null where it was the last one. `tries` are the attempts before
 * it; `requestedMs` is the receiver's `Retry-After`.
 */
export function retryWait(schedule: readonly number[], tries: number, requestedMs: number): number | null {
  const step = schedule[tries];
  if (step === undefined) return null;
  return Math.max(step * (1 + Math.random() * JITTER), Math.min(requestedMs, MAX_RETRY_AFTER_MS));
}

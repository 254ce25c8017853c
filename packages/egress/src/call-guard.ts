import { z } from 'zod';
import {
  DependencyGuard,
  type GuardedCall,
  type GuardOptions,
  type DependencySettings,
} from './dependency-guard.ts';

/** Bounded room and a circuit breaker for each key. */
export interface CallGuard {
  /**
   * Runs `call` in the room of `key` and behind its breaker. A place is held until the call really
   * ends, also when nobody waits for it any more. A call that was stopped by its signal counts
   * neither way.
   * Throws `CircuitOpenError` at once while the breaker is open, `BulkheadFullError` where no place
   * came free in time, the signal's reason when it aborts while waiting, and what `call` throws.
   */
  run<Result>(
    key: string,
    signal: AbortSignal,
    call: (guarded: GuardedCall) => Promise<Result>,
    options?: GuardOptions<Result>,
  ): Promise<Result>;
  /** Milliseconds for which a key is left alone from now on; 0 where the next call may leave. */
  openForMs(key: string): number;
  /** How many keys are in which state. */
  states(): { open: number; half_open: number; closed: number };
}

const count = z.int().min(1).max(100_000);
const milliseconds = z.int().min(1).max(3_600_000);

const settingsSchema = z.strictObject({
  slots: count.default(64),
  maxWaiting: z.int().min(0).max(100_000).default(256),
  maxWaitMs: milliseconds.default(5_000),
  failureShare: z.number().gt(0).lt(1).default(0.5),
  windowMs: milliseconds.min(100).default(10_000),
  minCalls: count.default(10),
  openMs: milliseconds.default(2_000),
  maxOpenMs: milliseconds.default(15_000),
  probeMs: milliseconds.default(15_000),
  maxKeys: count.default(10_000),
});

/**
 * All of it is optional.
 * - `slots`: calls of a key at once, 64; `maxWaiting` more wait, 256, each at most `maxWaitMs`, 5 s.
 * - The breaker opens when more than `failureShare`, a half, of at least `minCalls`, 10, failed within
 *   `windowMs`, about 10 s; for `openMs`, 2 s, doubled each time the probe after it fails, up to
 *   `maxOpenMs`, 15 s, all with jitter downwards. A probe that has shown nothing within `probeMs`, 15 s,
 *   has failed.
 * - `maxKeys`: keys remembered, 10,000. The one unused for longest is forgotten, but none that is in use
 *   or keeps callers away, so there may be more for a moment.
 */
export type CallGuardSettings = z.input<typeof settingsSchema>;

/**
 * Throws a `ZodError` for settings that make no sense. `now` is in milliseconds, and never runs backwards.
 */
export function createCallGuard(
  given: CallGuardSettings = {},
  now: () => number = () => performance.now(),
): CallGuard {
  const settings: DependencySettings & { maxKeys: number } = settingsSchema.parse(given);
  // A Map keeps the order of insertion: taken out and put back on each use, the first is the oldest.
  const lines = new Map<string, DependencyGuard>();

  const lineOf = (key: string): DependencyGuard => {
    const line = lines.get(key) ?? new DependencyGuard(settings, now);
    lines.delete(key);
    dropOldest(lines, settings.maxKeys - 1);
    lines.set(key, line);
    return line;
  };

  return {
    run: async (key, signal, call, options) => lineOf(key).run(signal, call, options),
    openForMs: (key) => lines.get(key)?.openForMs ?? 0,
    states() {
      const states = { open: 0, half_open: 0, closed: 0 };
      for (const line of lines.values()) states[line.state] += 1;
      return states;
    },
  };
}

function dropOldest(lines: Map<string, DependencyGuard>, most: number): void {
  for (const [key, line] of lines) {
    if (lines.size <= most) return;
    if (line.idle) lines.delete(key);
  }
}

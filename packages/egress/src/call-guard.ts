import { z } from 'zod';
import {
  DependencyGuard,
  type GuardedCall,
  type GuardOptions,
  type DependencySettings,
} from './dependency-guard.ts';

/** A semaphore and a circuit breaker for each key. */
export interface CallGuard {
  /**
   * Runs `call` within the concurrency limit of `key` and behind its circuit breaker. The slot is held until the
   * call has settled, even after its signal aborted. An aborted call counts neither as success nor as failure.
   * Throws `CircuitOpenError` at once while the breaker is open, `BulkheadFullError` if no slot became free
   * in time, the signal's reason if it aborts during the wait, and what `call` throws.
   */
  run<Result>(
    key: string,
    signal: AbortSignal,
    call: (guarded: GuardedCall) => Promise<Result>,
    options?: GuardOptions<Result>,
  ): Promise<Result>;
  /** Milliseconds for which calls of a key are refused; 0 if the next call is admitted. */
  openForMs(key: string): number;
  /** The number of keys in each state. */
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
 * All settings are optional; defaults are in parentheses.
 * - `slots` (64): concurrent calls per key. Up to `maxWaiting` (256) more wait, each for at most `maxWaitMs` (5 s).
 * - `failureShare` (0.5), `minCalls` (10), `windowMs` (10 s): the breaker opens if more than this share of at least
 *   `minCalls` calls failed within about `windowMs`.
 * - `openMs` (2 s), `maxOpenMs` (15 s): how long it stays open. The time doubles after each failed probe, up to
 *   `maxOpenMs`; jitter shortens it.
 * - `probeMs` (15 s): a probe without a verdict by then counts as failed.
 * - `maxKeys` (10,000): keys in memory. The least recently used key is evicted, but not while it has calls or an open
 *   breaker, so the number can exceed `maxKeys` for a while.
 */
export type CallGuardSettings = z.input<typeof settingsSchema>;

/**
 * `now` is a monotonic clock in milliseconds. Throws a `ZodError` for invalid settings.
 */
export function createCallGuard(
  input: CallGuardSettings = {},
  now: () => number = () => performance.now(),
): CallGuard {
  const settings: DependencySettings & { maxKeys: number } = settingsSchema.parse(input);
  // A Map keeps insertion order. Each use re-inserts its key, so the first key is the least recently used.
  const guards = new Map<string, DependencyGuard>();

  const guardOf = (key: string): DependencyGuard => {
    const guard = guards.get(key) ?? new DependencyGuard(settings, now);
    guards.delete(key);
    evictIdle(guards, settings.maxKeys - 1);
    guards.set(key, guard);
    return guard;
  };

  return {
    run: async (key, signal, call, options) => guardOf(key).run(signal, call, options),
    openForMs: (key) => guards.get(key)?.openForMs ?? 0,
    states() {
      const states = { open: 0, half_open: 0, closed: 0 };
      for (const guard of guards.values()) states[guard.state] += 1;
      return states;
    },
  };
}

function evictIdle(guards: Map<string, DependencyGuard>, maxSize: number): void {
  for (const [key, guard] of guards) {
    if (guards.size <= maxSize) return;
    if (guard.idle) guards.delete(key);
  }
}

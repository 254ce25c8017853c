import { LRUCache } from 'lru-cache';
import { createRunWithin, type RunWithin } from './run-within.ts';

/** What comes back: a twentieth of all time. */
const REFILL_SHARE = 0.05;
/** What an ordinary check takes at most: it costs nothing. */
const FREE_MS = 5;
/** Whatever is left of a share, a check has so long: on a busy machine an ordinary one waits for its turn. */
const LEAST_MS = 100;
const MOST_TENANTS = 10_000;

/**
 * A share of the process's one thread for each tenant, for work whose length a tenant or its model
 * decides: a schema can be written so that a check with it never ends. Work that takes too long is
 * stopped where it stands, and whoever has used up its share is stopped sooner, so that nobody else's
 * lease is lost meanwhile.
 */
export class TimeShares {
  readonly #tenants = new LRUCache<string, { leftMs: number; at: number }>({ max: MOST_TENANTS });
  readonly #capacityMs: number;
  readonly #now: () => number;
  readonly #runWithin: RunWithin;

  /**
   * `capacityMs`: what a tenant may use at once, default 3 s. `now`: milliseconds that only go forward.
   */
  constructor(parts: { capacityMs?: number; now?: () => number; runWithin?: RunWithin } = {}) {
    this.#capacityMs = parts.capacityMs ?? 3_000;
    this.#now = parts.now ?? (() => performance.now());
    this.#runWithin = parts.runWithin ?? createRunWithin();
  }

  /** Throws `TimeShareError`, and what `work` throws. `work` must not wait for anything. */
  run<Result>(tenantId: string, work: () => Result): Result {
    const began = this.#now();
    const leftMs = this.#leftMs(tenantId, began);
    try {
      return this.#runWithin(Math.max(leftMs, LEAST_MS), work);
    } finally {
      const ended = this.#now();
      const usedMs = Math.max(0, ended - began - FREE_MS);
      this.#tenants.set(tenantId, { leftMs: Math.max(0, leftMs - usedMs), at: ended });
    }
  }

  #leftMs(tenantId: string, now: number): number {
    const known = this.#tenants.get(tenantId);
    if (known === undefined) return this.#capacityMs;
    return Math.min(this.#capacityMs, known.leftMs + (now - known.at) * REFILL_SHARE);
  }
}

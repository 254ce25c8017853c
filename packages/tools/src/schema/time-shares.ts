import { LRUCache } from 'lru-cache';

/** Refilled: a twentieth of the time that passes. */
const REFILL_SHARE = 0.05;
/** An ordinary check takes less; it is not charged. */
const FREE_MS = 20;
const MOST_TENANTS = 10_000;

/** A token bucket of thread time for each tenant, in milliseconds. */
export class TimeShares {
  readonly #tenants = new LRUCache<string, { leftMs: number; at: number }>({ max: MOST_TENANTS });
  readonly #capacityMs: number;
  readonly #now: () => number;

  /** `capacityMs`: what a tenant may use at once. `now`: a monotonic clock, in milliseconds. */
  constructor(capacityMs: number, now: () => number = () => performance.now()) {
    this.#capacityMs = capacityMs;
    this.#now = now;
  }

  leftMs(tenantId: string): number {
    const known = this.#tenants.get(tenantId);
    if (known === undefined) return this.#capacityMs;
    return Math.min(this.#capacityMs, known.leftMs + (this.#now() - known.at) * REFILL_SHARE);
  }

  spend(tenantId: string, ms: number): void {
    const leftMs = Math.max(0, this.leftMs(tenantId) - Math.max(0, ms - FREE_MS));
    this.#tenants.set(tenantId, { leftMs, at: this.#now() });
  }
}

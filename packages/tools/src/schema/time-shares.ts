import { LRUCache } from 'lru-cache';

/** What comes back: a twentieth of all time. */
const REFILL_SHARE = 0.05;
/** What an ordinary check takes at most: it costs nothing. */
const FREE_MS = 20;
const MOST_TENANTS = 10_000;

/** How many milliseconds of work each tenant may still have done; what it used comes back with time. */
export class TimeShares {
  readonly #tenants = new LRUCache<string, { leftMs: number; at: number }>({ max: MOST_TENANTS });
  readonly #capacityMs: number;
  readonly #now: () => number;

  /** `capacityMs`: what a tenant may use at once. `now`: milliseconds that only go forward. */
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

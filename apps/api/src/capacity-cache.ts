import type { Limits } from '@turnpike/contract';
import { LRUCache } from 'lru-cache';

/** What a tenant can have too much of, and the limit that says how much. */
const CAPS = { waiting: 'max_queued_turns', sessions: 'max_sessions' } as const;
export type Counted = keyof typeof CAPS;

interface Known {
  count: number;
  at: number;
  /** Somebody was told then to count again. */
  askedAt: number | null;
}

/** Other processes add too, and a rate is kept to some tolerance only. */
const SAFETY = 2;

/**
 * Knows which tenants are far from a cap, so that nothing is counted for them. A count is believed for as
 * long as all that the tenant could have added since, at the rate of requests it is allowed, stays below
 * the cap; then what is added is counted again, in the statement that adds it, and exactly. Halfway there one is.
 */
export class CapacityCache {
  readonly #counts = new LRUCache<string, Known>({ max: 20_000 });

  /** The cap that is to be counted under; null where there is room for certain. */
  limitToEnforce(counted: Counted, tenantId: string, limits: Limits): number | null {
    const cap = limits[CAPS[counted]];
    const known = this.#counts.get(`${counted} ${tenantId}`);
    if (known === undefined) return cap;
    const seconds = Math.max(1, (performance.now() - known.at) / 1_000);
    const perhapsAdded = SAFETY * limits.requests_per_second * seconds;
    if (known.count + perhapsAdded >= cap) return cap;
    // One counts well before all would have to, who would wait for each other.
    if (known.askedAt !== null || known.count + 2 * perhapsAdded < cap) return null;
    known.askedAt = performance.now();
    return cap;
  }

  /** One was added; `before` is what was counted right before it, null where nothing was. */
  added(counted: Counted, tenantId: string, before: number | null): void {
    const key = `${counted} ${tenantId}`;
    const known = this.#counts.get(key);
    // What others added while it was counted is not in the count.
    const at = known?.askedAt ?? performance.now();
    if (before !== null) this.#counts.set(key, { count: before + 1, at, askedAt: null });
    else if (known !== undefined) known.count += 1;
  }
}

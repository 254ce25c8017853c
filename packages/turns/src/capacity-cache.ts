import type { Limits } from '@turnpike/contract';
import { LRUCache } from 'lru-cache';

/** What is capped, and the limit that caps it. */
const CAPS = { waiting: 'max_queued_turns', sessions: 'max_sessions' } as const;
type Capped = keyof typeof CAPS;

interface Known {
  count: number;
  /** When it was counted. Milliseconds of `performance.now()`. */
  at: number;
  /** When one submit was told to count again before all must; null where none was. */
  askedAt: number | null;
}

/** Other processes add too, and a rate limit is exact to some tolerance only. */
const SAFETY = 2;

/**
 * Knows which tenants are far below a cap, so that nothing is counted for them. A count is believed for as long as
 * all that the tenant could have added since, at its rate limit, stays below the cap; then each addition is counted
 * again, exactly, in the statement that adds it. Halfway there, one is.
 */
export class CapacityCache {
  readonly #counts = new LRUCache<string, Known>({ max: 20_000 });
  /** Resolve when the count that is under way has ended. */
  readonly #counting = new Map<string, Promise<void>>();

  /** The cap that the next addition must count under; null where there is capacity for certain. */
  limitToEnforce(capped: Capped, tenantId: string, limits: Limits): number | null {
    const cap = limits[CAPS[capped]];
    const known = this.#counts.get(`${capped} ${tenantId}`);
    if (known === undefined) return cap;
    const seconds = Math.max(1, (performance.now() - known.at) / 1_000);
    const perhapsAdded = SAFETY * limits.requests_per_second * seconds;
    if (known.count + perhapsAdded >= cap) return cap;
    // One counts well before all would have to, and would wait for each other.
    if (known.askedAt !== null || known.count + 2 * perhapsAdded < cap) return null;
    known.askedAt = performance.now();
    return cap;
  }

  /**
   * As `limitToEnforce`. Where another caller is counting already, it waits for that count first: each would otherwise
   * count by itself, one after another, for they do so under one lock. Call `end` once the addition has succeeded
   * or failed.
   */
  async startCount(
    capped: Capped,
    tenantId: string,
    limits: Limits,
  ): Promise<{ limit: number | null; end: () => void }> {
    const key = `${capped} ${tenantId}`;
    const limit = this.limitToEnforce(capped, tenantId, limits);
    if (limit === null) return NO_COUNT;
    const other = this.#counting.get(key);
    if (other !== undefined) {
      await other;
      return { limit: this.limitToEnforce(capped, tenantId, limits), end: () => undefined };
    }
    const { promise: ended, resolve } = deferred();
    const end = (): void => {
      this.#counting.delete(key);
      resolve();
    };
    this.#counting.set(key, ended);
    return { limit, end };
  }

  /** One was added; `before` is what was counted right before it, null where nothing was counted. */
  added(capped: Capped, tenantId: string, before: number | null): void {
    const key = `${capped} ${tenantId}`;
    const known = this.#counts.get(key);
    // What others added while it was counted is not in the count.
    const at = known?.askedAt ?? performance.now();
    if (before !== null) this.#counts.set(key, { count: before + 1, at, askedAt: null });
    else if (known !== undefined) known.count += 1;
  }
}

const NO_COUNT = { limit: null, end: (): void => undefined };

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((fulfil) => (resolve = fulfil));
  return { promise, resolve };
}

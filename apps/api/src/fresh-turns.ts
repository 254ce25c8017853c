/** For this long after it was accepted here, a turn needs no read to know that it is open. */
const FRESH_MS = 2_000;
const MOST_FRESH = 10_000;
/** A signal may be read before the response of the commit that it follows, in a process that was stopped meanwhile. */
const KEPT_MS = 5_000;
const MOST_CHANGED = 50_000;

/**
 * Turns that this process accepted a moment ago and whose change has not been signalled: most clients wait for a turn
 * as soon as they have submitted it, and then there is nothing to read yet.
 */
export class FreshTurns {
  readonly #fresh = new Map<string, { tenantId: string; since: number }>();
  /** Those whose signal came lately, in two generations. */
  #changed = new Set<string>();
  #changedBefore = new Set<string>();
  #generationSince = performance.now();

  /** The turn was accepted, and is open. */
  add(tenantId: string, turnId: string): void {
    if (this.#changed.has(turnId) || this.#changedBefore.has(turnId)) return;
    for (const [id, { since }] of this.#fresh) {
      if (this.#fresh.size < MOST_FRESH && performance.now() - since < FRESH_MS) break;
      this.#fresh.delete(id);
    }
    this.#fresh.set(turnId, { tenantId, since: performance.now() });
  }

  /** True once for each turn: who asks again may ask because it is not believed. */
  take(tenantId: string, turnId: string): boolean {
    const known = this.#fresh.get(turnId);
    if (known?.tenantId !== tenantId) return false;
    this.#fresh.delete(turnId);
    return performance.now() - known.since < FRESH_MS;
  }

  /** The turn has changed. */
  changed(turnId: string): void {
    this.#fresh.delete(turnId);
    const now = performance.now();
    if (now - this.#generationSince > KEPT_MS || this.#changed.size >= MOST_CHANGED) {
      this.#changedBefore = this.#changed;
      this.#changed = new Set();
      this.#generationSince = now;
    }
    this.#changed.add(turnId);
  }

  /** Signals may have been lost: nothing is known of any turn. */
  clear(): void {
    this.#fresh.clear();
  }
}

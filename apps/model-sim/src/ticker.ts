const TICK_MS = 5;

/**
 * One timer for every stream. Moments are rounded up to ticks of 5 ms and kept in a
 * bucket each, so thousands of paced streams cost one wake-up a tick and not one each.
 */
export class Ticker {
  readonly #buckets = new Map<number, (() => void)[]>();
  #lastTick = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Runs `task` once `performance.now()` has reached `dueMs`. */
  at(dueMs: number, task: () => void): void {
    if (this.#timer === undefined) {
      this.#lastTick = Math.floor(performance.now() / TICK_MS);
      this.#timer = setInterval(() => this.#advance(), TICK_MS);
    }
    const tick = Math.max(Math.ceil(dueMs / TICK_MS), this.#lastTick + 1);
    const bucket = this.#buckets.get(tick);
    if (bucket === undefined) this.#buckets.set(tick, [task]);
    else bucket.push(task);
  }

  /** Drops every task that is still to come. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#buckets.clear();
  }

  #advance(): void {
    const now = Math.floor(performance.now() / TICK_MS);
    while (this.#lastTick < now) {
      this.#lastTick += 1;
      const bucket = this.#buckets.get(this.#lastTick);
      if (bucket === undefined) continue;
      this.#buckets.delete(this.#lastTick);
      for (const task of bucket) task();
    }
    if (this.#buckets.size === 0) this.stop();
  }
}

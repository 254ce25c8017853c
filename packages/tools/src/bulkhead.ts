export interface BulkheadLimits {
  /** Calls at once. */
  places: number;
  /** Calls that wait for a place. */
  maxWaiting: number;
  /** Milliseconds that one waits at most. */
  maxWaitMs: number;
}

/**
 * Room for a number of calls at once, and a bounded queue before the door. A call holds its place
 * until it really ends, also when nobody waits for it any more: so a hung tool fills its own room,
 * and no other.
 */
export class Bulkhead {
  readonly #limits: BulkheadLimits;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(limits: BulkheadLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a place, first come, first served. Resolves with what gives it back (to be called once),
   * or with null where none came free in time or too many wait already.
   * Rejects with the signal's reason at once.
   */
  async enter(signal: AbortSignal): Promise<(() => void) | null> {
    signal.throwIfAborted();
    if (this.#taken < this.#limits.places) {
      this.#taken += 1;
      return this.#leave;
    }
    if (this.#waiting.size >= this.#limits.maxWaiting) return null;
    return this.#wait(signal);
  }

  #wait(signal: AbortSignal): Promise<(() => void) | null> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.#waiting.delete(enter);
      };
      const enter = (): void => {
        settle();
        resolve(this.#leave);
      };
      const stop = (): void => {
        settle();
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        settle();
        resolve(null);
      }, this.#limits.maxWaitMs);
      this.#waiting.add(enter);
      signal.addEventListener('abort', stop);
    });
  }

  /** The place goes straight to the one that waited longest. */
  readonly #leave = (): void => {
    const [next] = this.#waiting;
    if (next === undefined) this.#taken -= 1;
    else next();
  };
}

import { BulkheadFullError } from './errors.ts';

export interface SemaphoreSettings {
  /** Calls at once. */
  slots: number;
  /** Calls that wait for a place. */
  maxWaiting: number;
  /** Milliseconds that each of them waits at most. */
  maxWaitMs: number;
}

/**
 * Room for some calls at once, first come, first served. Not cockatiel's bulkhead: there, one that
 * gave up waiting keeps its place in the queue, and takes the wake-up of the one behind it along.
 */
export class Semaphore {
  readonly #settings: SemaphoreSettings;
  /** In the order in which they came: each is called when a place is its own. */
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(settings: SemaphoreSettings) {
    this.#settings = settings;
  }

  /** Nobody is in it, so nobody waits either. */
  get empty(): boolean {
    return this.#taken === 0;
  }

  /**
   * Does the work when there is a place, which is held until the work has settled. Throws
   * `BulkheadFullError`, the signal's reason when it aborts before, and what `work` throws.
   */
  async run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    if (this.#taken < this.#settings.slots) this.#taken += 1;
    else await this.#takePlace(signal);
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.#leave();
    }
  }

  #takePlace(signal: AbortSignal): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.#settings;
    signal.throwIfAborted();
    if (this.#waiting.size >= maxWaiting) throw new BulkheadFullError();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.#waiting.delete(enter);
      };
      const enter = (): void => {
        end();
        resolve();
      };
      const giveUp = (error: unknown): void => {
        end();
        reject(error);
      };
      const stop = (): void => giveUp(signal.reason);
      const timer = setTimeout(() => giveUp(new BulkheadFullError()), maxWaitMs);
      signal.addEventListener('abort', stop);
      this.#waiting.add(enter);
    });
  }

  /** A place goes from hand to hand, so that nobody who comes just then is faster than those who wait. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}

import { BulkheadFullError } from './errors.ts';

export interface SemaphoreSettings {
  /** Concurrent calls. */
  slots: number;
  /** Calls that may wait for a slot. */
  maxWaiting: number;
  /** Maximum wait of a call, in milliseconds. */
  maxWaitMs: number;
}

/**
 * Limits concurrent calls; waiting calls are served in order. Cockatiel's bulkhead is not used: in it, a call that
 * gave up waiting stays in the queue and consumes the wake-up of the call behind it.
 */
export class Semaphore {
  readonly #settings: SemaphoreSettings;
  /** Waiting calls, in order; each function is called when its call receives a slot. */
  readonly #waiting = new Set<() => void>();
  #used = 0;

  constructor(settings: SemaphoreSettings) {
    this.#settings = settings;
  }

  /** True if no call is running, and so none is waiting. */
  get idle(): boolean {
    return this.#used === 0;
  }

  /**
   * Runs `work` when a slot is free, and holds the slot until it has settled. Throws `BulkheadFullError`,
   * the signal's reason if it aborts before `work` starts, and what `work` throws.
   */
  async run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    if (this.#used < this.#settings.slots) this.#used += 1;
    else await this.#waitForSlot(signal);
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.#release();
    }
  }

  #waitForSlot(signal: AbortSignal): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.#settings;
    signal.throwIfAborted();
    if (this.#waiting.size >= maxWaiting) throw new BulkheadFullError();
    return new Promise((resolve, reject) => {
      const stopWaiting = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#waiting.delete(enter);
      };
      const enter = (): void => {
        stopWaiting();
        resolve();
      };
      const giveUp = (error: unknown): void => {
        stopWaiting();
        reject(error);
      };
      const onAbort = (): void => giveUp(signal.reason);
      const timer = setTimeout(() => giveUp(new BulkheadFullError()), maxWaitMs);
      signal.addEventListener('abort', onAbort);
      this.#waiting.add(enter);
    });
  }

  /** Passes the slot to the next waiting call, so that a new call cannot overtake it. */
  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#used -= 1;
    else next();
  }
}

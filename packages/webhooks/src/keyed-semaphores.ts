import { Semaphore, type SemaphoreSettings } from '@turnpike/egress';

/** A semaphore for each key that is in use. */
export class KeyedSemaphores {
  readonly #settings: SemaphoreSettings;
  readonly #semaphores = new Map<string, Semaphore>();

  constructor(settings: SemaphoreSettings) {
    this.#settings = settings;
  }

  /** Throws `BulkheadFullError`, the signal's reason, and what `work` throws. */
  async run<Result>(key: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const semaphore = this.#semaphores.get(key) ?? new Semaphore(this.#settings);
    this.#semaphores.set(key, semaphore);
    try {
      return await semaphore.run(signal, work);
    } finally {
      if (semaphore.idle) this.#semaphores.delete(key);
    }
  }
}

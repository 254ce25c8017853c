import { Semaphore, type SemaphoreSettings } from '@turnpike/egress';

/** Slots for each key; of keys that nobody uses nothing is kept. */
export class KeyedSemaphores {
  readonly #settings: SemaphoreSettings;
  readonly #rooms = new Map<string, Semaphore>();

  constructor(settings: SemaphoreSettings) {
    this.#settings = settings;
  }

  /** Throws `BulkheadFullError`, the signal's reason, and what `work` throws. */
  async run<Result>(key: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const room = this.#rooms.get(key) ?? new Semaphore(this.#settings);
    this.#rooms.set(key, room);
    try {
      return await room.run(signal, work);
    } finally {
      if (room.idle) this.#rooms.delete(key);
    }
  }
}

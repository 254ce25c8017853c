interface Waiting {
  start(): void;
}

/** Too much work of this tenant is waiting already. */
export class TooManyWaitingError extends Error {}

/**
 * A few slots that tenants share: each has at most one at a time, and they are served in turn. A tenant with a
 * thousand pieces of work delays another's single piece only by those that are running.
 */
export class FairSlots {
  readonly #slots: number;
  readonly #mostWaiting: number;
  /** By tenant, in the order in which they are served next. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #running = new Set<string>();

  /** `mostWaiting`: for each tenant. */
  constructor(slots: number, mostWaiting: number) {
    this.#slots = slots;
    this.#mostWaiting = mostWaiting;
  }

  /** Throws `TooManyWaitingError`, and what `work` throws. */
  async run<Result>(tenantId: string, work: () => Promise<Result>): Promise<Result> {
    const queue = this.#waiting.get(tenantId) ?? [];
    if (queue.length >= this.#mostWaiting) throw new TooManyWaitingError();
    const started = new Promise<void>((start) => queue.push({ start }));
    this.#waiting.set(tenantId, queue);
    this.#startNext();
    await started;
    try {
      return await work();
    } finally {
      this.#running.delete(tenantId);
      this.#startNext();
    }
  }

  #startNext(): void {
    for (const [tenantId, queue] of this.#waiting) {
      if (this.#running.size >= this.#slots) return;
      if (this.#running.has(tenantId)) continue;
      this.#running.add(tenantId);
      const next = queue.shift();
      this.#waiting.delete(tenantId);
      // Behind the others, which have waited for longer.
      if (queue.length > 0) this.#waiting.set(tenantId, queue);
      next?.start();
    }
  }
}

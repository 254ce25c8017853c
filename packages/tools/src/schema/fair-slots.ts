interface Waiting {
  start(): void;
}

/** Too much work of this tenant is waiting already. */
export class TooManyWaitingError extends Error {}

/**
 * A few slots that tenants share: each has at most one at a time, and they are served in turn. A tenant with a
 * thousand pieces of work delays another's single piece only by those that are running. After each piece a tenant may
 * have to rest before its next.
 */
export class FairSlots {
  readonly #slots: number;
  readonly #mostWaiting: number;
  /** By tenant, in the order in which they are served next. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #running = new Set<string>();
  readonly #resting = new Set<string>();

  /** `mostWaiting`: for each tenant. */
  constructor(slots: number, mostWaiting: number) {
    this.#slots = slots;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * `work` is given a function to call with the milliseconds that its tenant rests afterwards.
   * Throws `TooManyWaitingError`, and what `work` throws.
   */
  async run<Result>(
    tenantId: string,
    work: (restFor: (ms: number) => void) => Promise<Result>,
  ): Promise<Result> {
    const queue = this.#waiting.get(tenantId) ?? [];
    if (queue.length >= this.#mostWaiting) throw new TooManyWaitingError();
    const started = new Promise<void>((start) => queue.push({ start }));
    this.#waiting.set(tenantId, queue);
    this.#startNext();
    await started;
    let restMs = 0;
    try {
      return await work((ms) => (restMs = ms));
    } finally {
      this.#running.delete(tenantId);
      if (restMs >= 1) this.#rest(tenantId, restMs);
      this.#startNext();
    }
  }

  #rest(tenantId: string, ms: number): void {
    this.#resting.add(tenantId);
    setTimeout(() => {
      this.#resting.delete(tenantId);
      this.#startNext();
    }, ms);
  }

  #startNext(): void {
    for (const [tenantId, queue] of this.#waiting) {
      if (this.#running.size >= this.#slots) return;
      if (this.#running.has(tenantId) || this.#resting.has(tenantId)) continue;
      this.#running.add(tenantId);
      const next = queue.shift();
      this.#waiting.delete(tenantId);
      // Behind the others, which have waited for longer.
      if (queue.length > 0) this.#waiting.set(tenantId, queue);
      next?.start();
    }
  }
}

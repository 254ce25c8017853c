/**
 * A queue for work on the event loop, served tenant by tenant: one piece of work in each iteration of the loop. With a
 * `share` below 1, the loop is left to everything else in between for so long that the work takes no more than that
 * share of the time, however fast or slow the machine is.
 */
export class TenantTurns {
  readonly #share: number;
  /** By tenant, in the order in which they are served next. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isServing = false;

  constructor(share = 1) {
    this.#share = share;
  }

  /** Resolves when the next piece of work of this tenant may be done. It is to be done at once, and synchronously. */
  next(tenantId: string): Promise<void> {
    const served = new Promise<void>((resolve) => {
      const queue = this.#waiting.get(tenantId) ?? [];
      queue.push(resolve);
      this.#waiting.set(tenantId, queue);
    });
    if (!this.#isServing) setImmediate(() => this.#serve());
    this.#isServing = true;
    return served;
  }

  #serve(): void {
    const [first] = this.#waiting;
    this.#isServing = first !== undefined;
    if (first === undefined) return;
    const [tenantId, queue] = first;
    const serve = queue.shift();
    this.#waiting.delete(tenantId);
    // Behind the others, which have waited for longer.
    if (queue.length > 0) this.#waiting.set(tenantId, queue);
    const servedAt = performance.now();
    serve?.();
    setImmediate(() => this.#pause(performance.now() - servedAt));
  }

  #pause(workedMs: number): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, workedMs * (1 / this.#share - 1));
    if (pauseMs < 1) this.#serve();
    else setTimeout(() => this.#serve(), pauseMs);
  }
}

/** The time from one iteration to the next includes what others did in it, which may be long. */
const LONGEST_PAUSE_MS = 50;

/** The shape of every bucket: as `createRetryBudget` of packages/model has it, for one process. */
export const BUCKET = {
  /** Retries that a key starts with, and that time gives back. */
  allowance: 10,
  /** Retries that a key can save up. */
  capacity: 50,
  perMinute: 30,
  /** A key that is not used for so long starts anew. */
  keptMs: 3_600_000,
} as const;

/** What one success adds. */
const DEPOSIT = 0.1;
const FLUSH_MS = 1_000;
/** Keys with deposits that wait to be sent. */
const MOST_PENDING = 10_000;

/** Adds `deposit` to a key's bucket, then takes `take` (0 or 1) out of it; false where there is not as much. */
export type ChangeBucket = (key: string, deposit: number, take: 0 | 1) => Promise<boolean>;

/**
 * How much of the traffic may be retries, shared by all processes: a token bucket for each key. What
 * successes add is gathered for a second, so that a model call that went well waits for nothing.
 */
export class SharedRetryBudget {
  readonly #change: ChangeBucket;
  readonly #deposits = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(change: ChangeBucket) {
    this.#change = change;
  }

  /** Takes the right to one retry; false when there is none. Throws `BackplaneUnavailableError`. */
  take(key: string): Promise<boolean> {
    const deposit = this.#deposits.get(key) ?? 0;
    this.#deposits.delete(key);
    return this.#change(key, deposit, 1);
  }

  /**
   * Notes a success, and gives back what was taken where it was a retry. Never throws: a deposit that
   * does not arrive makes retries fewer, not more.
   */
  deposit(key: string, wasRetry = false): void {
    if (this.#deposits.size >= MOST_PENDING && !this.#deposits.has(key)) return;
    this.#deposits.set(key, (this.#deposits.get(key) ?? 0) + DEPOSIT + (wasRetry ? 1 : 0));
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS).unref();
  }

  /** What was not sent by then is dropped. */
  close(): void {
    clearTimeout(this.#timer);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const deposits = [...this.#deposits];
    this.#deposits.clear();
    await Promise.allSettled(deposits.map(([key, deposit]) => this.#change(key, deposit, 0)));
  }
}

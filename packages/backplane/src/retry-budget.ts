/** The shape of every bucket, as in `createRetryBudget` of packages/model, which is for one process. */
export const BUCKET = {
  /** Retries that a key starts with, and regains over time. */
  allowance: 10,
  /** Retries that a key can save up. */
  capacity: 50,
  perMinute: 30,
  /** A key that is not used for this long starts again with its allowance. */
  keptMs: 3_600_000,
} as const;

/** What one success adds. */
const DEPOSIT = 0.1;
const FLUSH_MS = 1_000;
/** The most keys with deposits that are not sent yet. */
const MOST_PENDING = 10_000;

/** Adds `deposit` to a key's bucket, then takes `take` (0 or 1) out of it; false where it holds less. */
export type ChangeBucket = (key: string, deposit: number, take: 0 | 1) => Promise<boolean>;

/**
 * Limits the share of requests that are retries, across all processes: a token bucket for each key. Deposits of
 * successes are gathered for a second, so that a successful model call waits for nothing.
 */
export class SharedRetryBudget {
  readonly #change: ChangeBucket;
  readonly #deposits = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(change: ChangeBucket) {
    this.#change = change;
  }

  /** Takes the token for one retry; false when there is none. Throws `BackplaneUnavailableError`. */
  take(key: string): Promise<boolean> {
    const deposit = this.#deposits.get(key) ?? 0;
    this.#deposits.delete(key);
    return this.#change(key, deposit, 1);
  }

  /**
   * Records a success, and returns the token of a retry. Never throws: a lost deposit allows fewer retries, not
   * more.
   */
  deposit(key: string, wasRetry = false): void {
    if (this.#deposits.size >= MOST_PENDING && !this.#deposits.has(key)) return;
    this.#deposits.set(key, (this.#deposits.get(key) ?? 0) + DEPOSIT + (wasRetry ? 1 : 0));
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS).unref();
  }

  /** Deposits that are not sent yet are dropped. */
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

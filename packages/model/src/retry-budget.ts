/**
 * Limits how much of the traffic is retries, so that a struggling API does not get more requests than usual. A key
 * is a tenant and a model.
 */
export interface RetryBudget {
  /** Takes one retry from the budget; false when there is none. */
  take(key: string): boolean | Promise<boolean>;
  /**
   * Records a success: it adds a tenth of a retry, and where it was a retry, that one is returned. So the budget
   * limits retries that fail; if it limited all of them, an API that has recovered would wait for a budget to fill.
   * Never throws, and is not waited for.
   */
  deposit(key: string, wasRetry?: boolean): void;
}

/**
 * A budget that all workers share, with one of this process while the shared one is unavailable: retries are then
 * limited for each process. The first error of each such time is reported.
 */
export function sharedRetryBudget(shared: RetryBudget, onError: (error: unknown) => void): RetryBudget {
  const own = createRetryBudget();
  let isAway = false;
  return {
    async take(key) {
      try {
        const granted = await shared.take(key);
        isAway = false;
        return granted;
      } catch (error) {
        if (!isAway) onError(error);
        isAway = true;
        return own.take(key);
      }
    },
    deposit(key, wasRetry) {
      shared.deposit(key, wasRetry);
      own.deposit(key, wasRetry);
    },
  };
}

export interface RetryBudgetSettings {
  /** Retries that a key starts with. Default 10. */
  allowance?: number;
  /** Retries that a key can save up. Default 50. */
  capacity?: number;
  /** What one success adds. Default 0.1. */
  deposit?: number;
  /**
   * What a minute adds, up to the allowance. Default 30. Without it, turns that all wait for a budget would wait
   * for ever: none of them could have the success that fills it.
   */
  perMinute?: number;
  /** Keys kept at once; beyond that, the least recently used one starts again. Default 10 000. */
  maxKeys?: number;
}

interface Bucket {
  tokens: number;
  /** When time was last counted, in milliseconds. */
  at: number;
}

/** A budget of this process alone: a token bucket for each key. `now` is in milliseconds. */
export function createRetryBudget(
  settings: RetryBudgetSettings = {},
  now: () => number = () => performance.now(),
): RetryBudget {
  const { allowance = 10, capacity = 50, deposit = 0.1, perMinute = 30, maxKeys = 10_000 } = settings;
  // A Map keeps the order of insertion: an entry is deleted and set again on each use, so the first is the oldest.
  const buckets = new Map<string, Bucket>();

  const use = (key: string): Bucket => {
    const at = now();
    const bucket = buckets.get(key) ?? { tokens: allowance, at };
    const earned = ((at - bucket.at) / 60_000) * perMinute;
    if (bucket.tokens < allowance) bucket.tokens = Math.min(allowance, bucket.tokens + earned);
    bucket.at = at;
    buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size > maxKeys) dropOldest(buckets);
    return bucket;
  };

  return {
    take(key) {
      const bucket = use(key);
      // A hundred deposits of a tenth are not quite ten in binary.
      if (bucket.tokens < 1 - 1e-9) return false;
      bucket.tokens -= 1;
      return true;
    },
    deposit(key, wasRetry = false) {
      const bucket = use(key);
      bucket.tokens = Math.min(capacity, bucket.tokens + deposit + (wasRetry ? 1 : 0));
    },
  };
}

function dropOldest(buckets: Map<string, Bucket>): void {
  const oldest = buckets.keys().next().value;
  if (oldest !== undefined) buckets.delete(oldest);
}

/** A bucket of requests: it holds a second's worth, and gains as much in a second. */
export interface RequestRate {
  perSecond: number;
}

/** A bucket that nobody used for so long is full, and as good as none. */
export const KEPT_MS = 10_000;

/** Takes `count` out of a key's bucket, and returns what is left: less than zero where there was not as much. */
export type SpendRequests = (key: string, count: number, rate: RequestRate) => Promise<number>;

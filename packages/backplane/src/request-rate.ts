/** A bucket of requests: it holds one second's worth, and regains it in one second. */
export interface RequestRate {
  perSecond: number;
}

/** A bucket that was not used for this long is full, so it may be deleted. */
export const KEPT_MS = 10_000;

/** Takes `count` out of a key's bucket and returns what is left: negative where it held less. */
export type SpendRequests = (key: string, count: number, rate: RequestRate) => Promise<number>;

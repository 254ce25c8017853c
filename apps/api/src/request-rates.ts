import type { Backplane } from '@turnpike/backplane';
import { LRUCache } from 'lru-cache';

/** Whether a request was admitted, and what its tenant has left. */
export interface Admission {
  isAdmitted: boolean;
  perSecond: number;
  /** Requests that would be admitted now. */
  remaining: number;
  /** Seconds until one is admitted again, where none is now; else until the whole burst is. */
  resetSeconds: number;
}

type Spend = Backplane['spendRequests'];

/** The credit of a process, which it admits before the others know: this part of a second's requests. */
const CREDIT = 0.1;
const REPORT_EVERY_MS = 100;
/** A request waits this long for the backplane at most; then the process decides by what it knows. */
const RESPONSE_MS = 250;
/** After that, no request waits for it for this long, unless it responds. */
const ALONE_MS = 1_000;

/**
 * Limits the requests of each tenant per second, over all processes. What is admitted here is reported to the
 * backplane afterwards, in batches, and no request waits for that unless the credit is used up. While the backplane
 * is unavailable each process enforces the whole rate by itself; what it admits while a response is only late is
 * reported all the same.
 */
export class RequestRates {
  readonly #spend: Spend;
  readonly #meters = new LRUCache<string, Meter>({ max: 10_000 });

  constructor(spend: Spend) {
    this.#spend = spend;
  }

  /** Never throws. */
  admit(tenantId: string, perSecond: number): Promise<Admission> {
    let meter = this.#meters.get(tenantId);
    if (meter === undefined) {
      meter = new Meter((count, rate) => this.#spend(tenantId, count, rate), perSecond);
      this.#meters.set(tenantId, meter);
    }
    return meter.admit(perSecond);
  }
}

/** One tenant's requests, as far as this process knows. */
class Meter {
  readonly #spend: (count: number, rate: { perSecond: number }) => Promise<number>;
  #perSecond: number;
  /** What all processes had left at the last response of the backplane. */
  #tokens: number;
  #at = performance.now();
  #unreported = 0;
  #reporting = 0;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #aloneUntil = -Infinity;

  constructor(spend: (count: number, rate: { perSecond: number }) => Promise<number>, perSecond: number) {
    this.#spend = spend;
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  async admit(perSecond: number): Promise<Admission> {
    this.#perSecond = perSecond;
    const credit = Math.max(1, Math.floor(perSecond * CREDIT));
    while (this.#left() >= 1 && this.#unreported + this.#reporting >= credit && !this.#isAlone()) {
      await this.#reportInTime();
    }
    const left = this.#left();
    if (left < 1) return this.#admission(false, left, (1 - left) / perSecond);
    this.#unreported += 1;
    if (this.#unreported >= credit / 2) void this.#report();
    else this.#reportSoon();
    return this.#admission(true, left - 1, (perSecond - left + 1) / perSecond);
  }

  #admission(isAdmitted: boolean, left: number, resetSeconds: number): Admission {
    return {
      isAdmitted,
      perSecond: this.#perSecond,
      remaining: Math.max(0, Math.floor(left)),
      resetSeconds: Math.max(1, Math.ceil(resetSeconds)),
    };
  }

  /** An upper bound: what other processes admitted since is not known here. */
  #left(): number {
    const earned = ((performance.now() - this.#at) / 1_000) * this.#perSecond;
    return Math.min(this.#perSecond, this.#tokens + earned) - this.#reporting - this.#unreported;
  }

  #report(): Promise<void> {
    this.#running ??= this.#reportNow().finally(() => (this.#running = null));
    return this.#running;
  }

  #reportSoon(): void {
    this.#timer ??= setTimeout(() => void this.#report(), REPORT_EVERY_MS).unref();
  }

  async #reportNow(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#reporting = this.#unreported;
    this.#unreported = 0;
    const left = await this.#spend(this.#reporting, { perSecond: this.#perSecond }).catch(() => null);
    const known = this.#left() + this.#unreported;
    this.#reporting = 0;
    this.#tokens = left ?? known;
    this.#at = performance.now();
    this.#aloneUntil = left === null ? this.#at + ALONE_MS : -Infinity;
    if (this.#unreported > 0) this.#reportSoon();
  }

  #isAlone(): boolean {
    return performance.now() < this.#aloneUntil;
  }

  async #reportInTime(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#aloneUntil = performance.now() + ALONE_MS;
        resolve();
      }, RESPONSE_MS);
    });
    await Promise.race([this.#report(), tooLong]);
    clearTimeout(timer);
  }
}

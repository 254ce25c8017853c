// Keeps the messages of a thread to what its worker can take: code that says something in a loop would fill the worker's
// event loop. With nothing but Node's own modules.
const EVERY_MS = 100;
const MOST_AT_ONCE = 200;
const A_SECOND = 50;

/** Passes on the newest progress, a few times a second. */
export class ProgressPace<Shown> {
  readonly #send: (shown: Shown) => void;
  #sentAt = -Infinity;
  #newest: { shown: Shown } | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(send: (shown: Shown) => void) {
    this.#send = send;
  }

  show(shown: Shown): void {
    this.#newest = { shown };
    if (performance.now() - this.#sentAt >= EVERY_MS) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), EVERY_MS).unref();
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const newest = this.#newest;
    this.#newest = null;
    if (newest === null) return;
    this.#sentAt = performance.now();
    this.#send(newest.shown);
  }
}

/** Says which lines of a log are passed on: two hundred at once, and fifty a second. */
export class LinePace {
  #left = MOST_AT_ONCE;
  #filledAt = performance.now();
  #omitted = 0;

  /** Null for a line that is left out; else how many were since the last one that was not. */
  take(): { omitted: number } | null {
    const now = performance.now();
    this.#left = Math.min(MOST_AT_ONCE, this.#left + ((now - this.#filledAt) / 1_000) * A_SECOND);
    this.#filledAt = now;
    if (this.#left < 1) {
      this.#omitted += 1;
      return null;
    }
    this.#left -= 1;
    const omitted = this.#omitted;
    this.#omitted = 0;
    return { omitted };
  }
}

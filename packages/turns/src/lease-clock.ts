export interface LeaseClockSettings {
  /** The database's time at the claim, in milliseconds since 1970. */
  claimedAt: number;
  /** From the claim to the turn's deadline. Milliseconds. */
  remainingMs: number;
  /** When the lease is to be treated as expired, on `performance.now()`. */
  until: number;
  onExpired: () => void;
  onDeadline: () => void;
}

/** The times of one lease by this process's monotonic clock: its wall clock may be wrong, and is never asked. */
export class LeaseClock {
  readonly #claimedAt: number;
  readonly #started = performance.now();
  readonly #deadline: number;
  readonly #deadlineTimer: NodeJS.Timeout;
  readonly #onExpired: () => void;
  #until: number;
  #untilTimer: NodeJS.Timeout;

  constructor({ claimedAt, remainingMs, until, onExpired, onDeadline }: LeaseClockSettings) {
    this.#claimedAt = claimedAt;
    this.#deadline = this.#started + remainingMs;
    this.#deadlineTimer = setTimeout(onDeadline, Math.max(0, remainingMs));
    this.#onExpired = onExpired;
    this.#until = until;
    this.#untilTimer = this.#startUntilTimer();
  }

  /** Timers may be late, after a process was frozen: this is not. */
  get isExpired(): boolean {
    return performance.now() >= this.#until;
  }

  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number {
    return Math.max(0, this.#deadline - performance.now());
  }

  /** The database's time now, in milliseconds since 1970. */
  now(): number {
    return this.#claimedAt + (performance.now() - this.#started);
  }

  /** `until` is on `performance.now()`. */
  renew(until: number): void {
    this.#until = until;
    clearTimeout(this.#untilTimer);
    this.#untilTimer = this.#startUntilTimer();
  }

  stop(): void {
    clearTimeout(this.#untilTimer);
    clearTimeout(this.#deadlineTimer);
  }

  #startUntilTimer(): NodeJS.Timeout {
    return setTimeout(() => this.#onExpired(), Math.max(0, this.#until - performance.now()));
  }
}

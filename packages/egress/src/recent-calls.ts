import { type CircuitState, type IBreaker, SamplingBreaker } from 'cockatiel';

export interface WindowSettings {
  /** The breaker opens if more than this share of the calls failed; between 0 and 1. */
  failureShare: number;
  /** Milliseconds for which a call counts. */
  windowMs: number;
  /** Fewer calls than this never open the breaker. */
  minCalls: number;
}

/**
 * Cockatiel's rolling window, restarted after a pause. Cockatiel advances its window only when there are calls, so
 * failures of last night would still count in the morning; and it uses the wall clock, which may be set back.
 */
export class RecentCalls implements IBreaker {
  readonly #settings: WindowSettings;
  readonly #now: () => number;
  #sampling: SamplingBreaker;
  #lastAt = 0;
  #lastWallTime = 0;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(settings: WindowSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
    this.#sampling = newSampling(settings);
  }

  get state(): unknown {
    return this.#sampling.state;
  }

  set state(state: unknown) {
    this.#sampling.state = state;
  }

  success(state: CircuitState): void {
    this.#refresh();
    this.#sampling.success(state);
  }

  failure(state: CircuitState): boolean {
    this.#refresh();
    return this.#sampling.failure(state);
  }

  #refresh(): void {
    const now = this.#now();
    const wallTime = Date.now();
    if (now - this.#lastAt > this.#settings.windowMs || wallTime < this.#lastWallTime) {
      this.#sampling = newSampling(this.#settings);
    }
    this.#lastAt = now;
    this.#lastWallTime = wallTime;
  }
}

function newSampling({ failureShare, windowMs, minCalls }: WindowSettings): SamplingBreaker {
  return new SamplingBreaker({
    threshold: failureShare,
    duration: windowMs,
    // Half a call less, so that rounding cannot require one more.
    minimumRps: (minCalls - 0.5) / (windowMs / 1_000),
  });
}

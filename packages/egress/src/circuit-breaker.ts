import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  DelegateBackoff,
  handleWhenResult,
  type IHalfOpenAfterBackoffContext,
} from 'cockatiel';
import { CircuitOpenError } from './errors.ts';
import { RecentCalls, type WindowSettings } from './recent-calls.ts';

export interface BreakerSettings extends WindowSettings {
  /** Milliseconds for which it opens; doubled after each failed probe. */
  openMs: number;
  maxOpenMs: number;
  /** Milliseconds after which a probe without a verdict counts as failed, and another one is admitted. */
  probeMs: number;
}

/** What a call tells about its dependency. `ignored`: it was aborted, or never sent. */
export type Verdict = 'success' | 'failure' | 'ignored';

/** The admission of one call. */
export interface Permit {
  /** The dependency has started to respond normally: a probe ends here, even if the response takes long. */
  reportSuccess(): void;
  /** Must be called when the call has ended. */
  end(verdict: Verdict): Promise<void>;
}

/**
 * A circuit breaker. It receives verdicts instead of running the calls: a long call must not keep it half open, and
 * a call that started before it opened tells nothing about the time since. Cockatiel manages the states; the open
 * time is measured here with the monotonic `now`, because cockatiel uses the wall clock.
 */
export class CircuitBreaker {
  readonly #settings: BreakerSettings;
  readonly #now: () => number;
  readonly #circuit: CircuitBreakerPolicy;
  #openings = 0;
  #failedProbes = 0;
  #openMs = 0;
  #openUntil = 0;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(settings: BreakerSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
    this.#circuit = circuitBreaker(
      handleWhenResult((verdict) => verdict !== 'success'),
      {
        breaker: new RecentCalls(settings, now),
        halfOpenAfter: new DelegateBackoff<IHalfOpenAfterBackoffContext>((context) => this.#open(context)),
      },
    );
  }

  get state(): 'open' | 'half_open' | 'closed' {
    if (this.#circuit.state === CircuitState.Closed) return 'closed';
    return this.#circuit.state === CircuitState.HalfOpen ? 'half_open' : 'open';
  }

  /** Milliseconds for which calls are refused, estimated during a probe; 0 if the next call is admitted. */
  get openForMs(): number {
    if (this.state === 'closed') return 0;
    if (this.state === 'open') return Math.max(0, Math.ceil(this.#openUntil - this.#now()));
    // The duration of the probe is unknown. Half the open time is soon enough if it succeeds, and rare enough if not.
    return Math.ceil(this.#openMs / 2);
  }

  /** Admits a call. Throws `CircuitOpenError` while the breaker is open, and while a probe is running. */
  admit(): Permit {
    const forMs = this.openForMs;
    if (forMs > 0) throw new CircuitOpenError(forMs);
    return this.state === 'closed' ? this.#admitCall() : this.#admitProbe();
  }

  #admitCall(): Permit {
    const openings = this.#openings;
    return {
      reportSuccess: () => undefined,
      end: async (verdict) => {
        if (verdict !== 'ignored' && openings === this.#openings) await this.#report(verdict);
      },
    };
  }

  #admitProbe(): Permit {
    const openings = this.#openings;
    let decided: Verdict | undefined;
    let settle: (verdict: Verdict) => void = () => undefined;
    const verdict = new Promise<Verdict>((resolve) => (settle = resolve));
    const reported = this.#circuit.execute(() => verdict);
    const decide = (value: Verdict): void => {
      clearTimeout(timeout);
      decided = value;
      settle(value);
    };
    const timeout = setTimeout(() => decide('failure'), this.#settings.probeMs).unref();
    const reportSuccess = (): void => {
      if (decided === undefined) decide('success');
      // The probe timed out before, but its success is as good as that of another probe.
      else if (decided !== 'success' && this.state === 'open') void this.#report('success');
    };
    return {
      reportSuccess,
      end: async (final) => {
        if (final === 'success') reportSuccess();
        else if (decided === undefined) decide(final);
        await reported;
        const brokeLater = final === 'failure' && decided === 'success' && openings === this.#openings;
        if (brokeLater) await this.#report(final);
      },
    };
  }

  async #report(verdict: Verdict): Promise<void> {
    await this.#circuit.execute(() => verdict);
  }

  /** Cockatiel calls this when it opens. `-Infinity` means that its own wait is already over. */
  #open({ attempt, result }: IHalfOpenAfterBackoffContext): number {
    // An aborted probe has no verdict and must not extend the open time: the next call is a probe.
    if ('value' in result && result.value === 'ignored') return -Infinity;
    const { openMs, maxOpenMs } = this.#settings;
    this.#failedProbes = attempt === 1 ? 0 : this.#failedProbes + 1;
    this.#openings += 1;
    this.#openMs = Math.min(maxOpenMs, openMs * 2 ** this.#failedProbes) * (0.5 + Math.random() / 2);
    this.#openUntil = this.#now() + this.#openMs;
    return -Infinity;
  }
}

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
  /** Milliseconds for which it opens; twice as long after each probe that fails. */
  openMs: number;
  maxOpenMs: number;
  /** A probe that has shown nothing by then counts as failed, and another one may go. */
  probeMs: number;
}

/** What a call says of the other side. `nothing`: it was stopped, or never left. */
export type Verdict = 'well' | 'failed' | 'nothing';

/** The right of one call to leave. */
export interface Pass {
  /** The other side has begun to answer well: that ends a probe, however long the answer takes. */
  reportSuccess(): void;
  /** To be called when the call has ended. */
  end(verdict: Verdict): Promise<void>;
}

/**
 * A circuit breaker. It is shown verdicts, not calls: a long call must not keep it half open, and one
 * that began before it opened says nothing of the time after. The states are cockatiel's; how long it
 * is open is measured here, by `now`, since cockatiel's clock is the wall clock.
 */
export class CircuitBreaker {
  readonly #settings: BreakerSettings;
  readonly #now: () => number;
  readonly #circuit: CircuitBreakerPolicy;
  #openings = 0;
  #failedProbes = 0;
  #openMs = 0;
  #openUntil = 0;

  /** `now` is in milliseconds, and never runs backwards. */
  constructor(settings: BreakerSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
    this.#circuit = circuitBreaker(
      handleWhenResult((verdict) => verdict !== 'well'),
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

  /** Milliseconds for which calls are refused, as far as that is known; 0 where the next one may leave. */
  get openForMs(): number {
    if (this.state === 'closed') return 0;
    if (this.state === 'open') return Math.max(0, Math.ceil(this.#openUntil - this.#now()));
    // Nobody knows how long the probe takes: soon enough if it goes well, not all too often if it does not.
    return Math.ceil(this.#openMs / 2);
  }

  /** Lets a call leave. Throws `CircuitOpenError` while it is open, and while a probe is under way. */
  admit(): Pass {
    const forMs = this.openForMs;
    if (forMs > 0) throw new CircuitOpenError(forMs);
    return this.state === 'closed' ? this.#ordinary() : this.#probe();
  }

  #ordinary(): Pass {
    const openings = this.#openings;
    return {
      reportSuccess: () => undefined,
      end: async (verdict) => {
        if (verdict !== 'nothing' && openings === this.#openings) await this.#show(verdict);
      },
    };
  }

  #probe(): Pass {
    const openings = this.#openings;
    let decided: Verdict | undefined;
    let settle: (verdict: Verdict) => void = () => undefined;
    const verdict = new Promise<Verdict>((resolve) => (settle = resolve));
    const shown = this.#circuit.execute(() => verdict);
    const decide = (given: Verdict): void => {
      clearTimeout(overdue);
      decided = given;
      settle(given);
    };
    const overdue = setTimeout(() => decide('failed'), this.#settings.probeMs).unref();
    const reportSuccess = (): void => {
      if (decided === undefined) decide('well');
      // It came too late to be waited for, but it came: that is as good as another probe.
      else if (decided !== 'well' && this.state === 'open') void this.#show('well');
    };
    return {
      reportSuccess,
      end: async (given) => {
        if (given === 'well') reportSuccess();
        else if (decided === undefined) decide(given);
        await shown;
        if (given === 'failed' && decided === 'well' && openings === this.#openings) await this.#show(given);
      },
    };
  }

  async #show(verdict: Verdict): Promise<void> {
    await this.#circuit.execute(() => verdict);
  }

  /** Called by cockatiel as it opens. What it is told is that its own time to wait is over already. */
  #open({ attempt, result }: IHalfOpenAfterBackoffContext): number {
    // A probe that was stopped has shown nothing, and made nobody wait longer: the next call is one.
    if ('value' in result && result.value === 'nothing') return -Infinity;
    const { openMs, maxOpenMs } = this.#settings;
    this.#failedProbes = attempt === 1 ? 0 : this.#failedProbes + 1;
    this.#openings += 1;
    this.#openMs = Math.min(maxOpenMs, openMs * 2 ** this.#failedProbes) * (0.5 + Math.random() / 2);
    this.#openUntil = this.#now() + this.#openMs;
    return -Infinity;
  }
}

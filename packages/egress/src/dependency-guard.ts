import { Semaphore, type SemaphoreSettings } from './semaphore.ts';
import { CircuitOpenError } from './errors.ts';
import { type BreakerSettings, CircuitBreaker, type Verdict } from './circuit-breaker.ts';

export type DependencySettings = SemaphoreSettings & BreakerSettings;

/** How a call ended: the input of `isFailure`. */
export type CallOutcome<Result> = { error: unknown } | { result: Result };

/** What a call can tell its circuit breaker while it is running. */
export interface GuardedCall {
  /** The dependency has started to respond normally: other calls need not wait for the end of a long response. */
  reportSuccess(): void;
}

export interface GuardOptions<Result> {
  /**
   * Whether an outcome counts as a failure of the dependency; by default, every error does. Null: it does not count
   * at all, such as a call that was never sent.
   */
  isFailure?: (outcome: CallOutcome<Result>) => boolean | null;
}

/** Guards the calls of one key with a semaphore and a circuit breaker. */
export class DependencyGuard {
  readonly #semaphore: Semaphore;
  readonly #breaker: CircuitBreaker;

  constructor(settings: DependencySettings, now: () => number) {
    this.#semaphore = new Semaphore(settings);
    this.#breaker = new CircuitBreaker(settings, now);
  }

  get state(): 'open' | 'half_open' | 'closed' {
    return this.#breaker.state;
  }

  /** Milliseconds for which calls are refused, estimated during a probe; 0 if the next call is admitted. */
  get openForMs(): number {
    return this.#breaker.openForMs;
  }

  /** True if no call is running or waiting, and none would be refused. */
  get idle(): boolean {
    return this.#semaphore.idle && this.openForMs === 0;
  }

  async run<Result>(
    signal: AbortSignal,
    call: (guarded: GuardedCall) => Promise<Result>,
    { isFailure = isError }: GuardOptions<Result> = {},
  ): Promise<Result> {
    signal.throwIfAborted();
    const forMs = this.openForMs;
    if (forMs > 0) throw new CircuitOpenError(forMs);
    return this.#semaphore.run(signal, async () => {
      const permit = this.#breaker.admit();
      let verdict: Verdict = 'ignored';
      try {
        const outcome = await outcomeOf(() => call(permit));
        const wasAborted = signal.aborted && 'error' in outcome;
        verdict = wasAborted ? 'ignored' : verdictOf(isFailure(outcome));
        if ('error' in outcome) throw outcome.error;
        return outcome.result;
      } finally {
        await permit.end(verdict);
      }
    });
  }
}

function isError(outcome: CallOutcome<unknown>): boolean {
  return 'error' in outcome;
}

function verdictOf(failed: boolean | null): Verdict {
  if (failed === null) return 'ignored';
  return failed ? 'failure' : 'success';
}

/** Also catches what a call throws synchronously. */
async function outcomeOf<Result>(call: () => Promise<Result>): Promise<CallOutcome<Result>> {
  try {
    return { result: await call() };
  } catch (error) {
    return { error };
  }
}

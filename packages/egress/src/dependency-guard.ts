import { Semaphore, type SemaphoreSettings } from './semaphore.ts';
import { CircuitOpenError } from './errors.ts';
import { type BreakerSettings, CircuitBreaker, type Verdict } from './circuit-breaker.ts';

export type DependencySettings = SemaphoreSettings & BreakerSettings;

/** How a call ended, for whoever decides whether that speaks against the other side. */
export type CallOutcome<Result> = { error: unknown } | { result: Result };

/** What a call may tell its breaker while it is under way. */
export interface GuardedCall {
  /** The other side has begun to answer well: others need not wait for the end of a long answer. */
  reportSuccess(): void;
}

export interface GuardOptions<Result> {
  /**
   * Does this end speak against the other side? Where left out, every error does. Null: it says
   * nothing of the other side, such as a call that never left after all.
   */
  isFailure?: (outcome: CallOutcome<Result>) => boolean | null;
}

/** The calls of one key: room for some at once, behind one breaker. */
export class DependencyGuard {
  readonly #room: Semaphore;
  readonly #breaker: CircuitBreaker;

  constructor(settings: DependencySettings, now: () => number) {
    this.#room = new Semaphore(settings);
    this.#breaker = new CircuitBreaker(settings, now);
  }

  get state(): 'open' | 'half_open' | 'closed' {
    return this.#breaker.state;
  }

  /** Milliseconds for which calls are refused, as far as that is known; 0 where the next one may leave. */
  get openForMs(): number {
    return this.#breaker.openForMs;
  }

  /** Nobody uses it, and it keeps nobody away. */
  get idle(): boolean {
    return this.#room.empty && this.openForMs === 0;
  }

  async run<Result>(
    signal: AbortSignal,
    call: (guarded: GuardedCall) => Promise<Result>,
    { isFailure = isError }: GuardOptions<Result> = {},
  ): Promise<Result> {
    signal.throwIfAborted();
    const forMs = this.openForMs;
    if (forMs > 0) throw new CircuitOpenError(forMs);
    return this.#room.run(signal, async () => {
      const pass = this.#breaker.admit();
      let verdict: Verdict = 'nothing';
      try {
        const outcome = await outcomeOf(() => call(pass));
        const wasStopped = signal.aborted && 'error' in outcome;
        verdict = wasStopped ? 'nothing' : verdictOf(isFailure(outcome));
        if ('error' in outcome) throw outcome.error;
        return outcome.result;
      } finally {
        await pass.end(verdict);
      }
    });
  }
}

function isError(outcome: CallOutcome<unknown>): boolean {
  return 'error' in outcome;
}

function verdictOf(failed: boolean | null): Verdict {
  if (failed === null) return 'nothing';
  return failed ? 'failed' : 'well';
}

/** Also a call that throws before its first await has ended. */
async function outcomeOf<Result>(call: () => Promise<Result>): Promise<CallOutcome<Result>> {
  try {
    return { result: await call() };
  } catch (error) {
    return { error };
  }
}

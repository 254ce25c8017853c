import {
  bulkhead,
  circuitBreaker,
  CircuitState,
  DelegateBackoff,
  handleWhenResult,
  isBulkheadRejectedError,
  SamplingBreaker,
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { BulkheadFullError, CircuitOpenError } from './errors.ts';

/** How a call ended, for whoever decides whether that speaks against the other side. */
export type CallOutcome<Result> = { error: unknown } | { result: Result };

export interface LineSettings {
  places: number;
  maxWaiting: number;
  maxWaitMs: number;
  failureShare: number;
  windowMs: number;
  minCalls: number;
  openMs: number;
  maxOpenMs: number;
}

/** About how long it takes to see whether the other side is well again. */
const PROBE_MS = 250;

/** What the breaker is shown of a call: how it ended, never a throw. */
interface Shown {
  outcome: CallOutcome<unknown>;
  failed: boolean;
}

/** The calls of one key: room for some at once, behind one breaker. */
export class CallLine {
  readonly #settings: LineSettings;
  readonly #room: BulkheadPolicy;
  readonly #breaker: CircuitBreakerPolicy;
  #opensAgainAt = 0;
  #underWay = 0;

  constructor(settings: LineSettings) {
    this.#settings = settings;
    this.#room = bulkhead(settings.places, settings.maxWaiting);
    this.#breaker = circuitBreaker(
      handleWhenResult((shown) => (shown as Shown).failed),
      {
        breaker: new SamplingBreaker({
          threshold: settings.failureShare,
          duration: settings.windowMs,
          minimumRps: settings.minCalls / (settings.windowMs / 1000),
        }),
        halfOpenAfter: new DelegateBackoff(({ attempt }: { attempt: number }) => this.#openFor(attempt)),
      },
    );
  }

  get state(): 'open' | 'half_open' | 'closed' {
    if (this.#breaker.state === CircuitState.Closed) return 'closed';
    return this.#breaker.state === CircuitState.HalfOpen ? 'half_open' : 'open';
  }

  /** Milliseconds for which it is left alone; 0 where the next call may go through. */
  get openForMs(): number {
    if (this.state === 'closed') return 0;
    // While somebody else tries whether it is well again, that one is enough.
    if (this.state === 'half_open') return PROBE_MS;
    return Math.max(0, Math.ceil(this.#opensAgainAt - performance.now()));
  }

  /** Nobody uses it, and it remembers nothing that anybody would miss. */
  get idle(): boolean {
    return this.#underWay === 0 && this.state === 'closed';
  }

  async run<Result>(
    signal: AbortSignal,
    call: () => Promise<Result>,
    isFailure: ((outcome: CallOutcome<Result>) => boolean) | undefined,
  ): Promise<Result> {
    signal.throwIfAborted();
    this.#refuseWhileOpen();
    this.#underWay += 1;
    const gate = new AbortController();
    let entered: () => void = () => undefined;
    const enters = new Promise<void>((resolve) => (entered = resolve));
    // Not with the gate's signal: a place that came to a call which gave up would go to nobody after it.
    const running = this.#room.execute(async () => {
      gate.signal.throwIfAborted();
      entered();
      return this.#probe(signal, call, isFailure);
    });
    const leave = (): void => void (this.#underWay -= 1);
    running.then(leave, leave);
    await this.#untilEntered(signal, gate, enters, running);
    const outcome = await running;
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  #refuseWhileOpen(): void {
    const forMs = this.openForMs;
    if (forMs > 0) throw new CircuitOpenError(forMs);
  }

  /** Waits for a place: so long, and no longer than the signal lets it. */
  async #untilEntered(
    signal: AbortSignal,
    gate: AbortController,
    enters: Promise<void>,
    running: Promise<unknown>,
  ): Promise<void> {
    let giveUp: (error: unknown) => void = () => undefined;
    const givesUp = new Promise<never>((_, reject) => (giveUp = reject));
    const stop = (): void => giveUp(signal.reason);
    const timer = setTimeout(() => giveUp(new BulkheadFullError()), this.#settings.maxWaitMs);
    signal.addEventListener('abort', stop);
    try {
      await Promise.race([enters, running.catch(refused), givesUp]);
    } catch (error) {
      // What still stands in the queue finds the gate shut when its place comes.
      gate.abort();
      running.catch(() => undefined);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async #probe<Result>(
    signal: AbortSignal,
    call: () => Promise<Result>,
    isFailure: ((outcome: CallOutcome<Result>) => boolean) | undefined,
  ): Promise<CallOutcome<Result>> {
    signal.throwIfAborted();
    this.#refuseWhileOpen();
    let kept: CallOutcome<Result> | undefined;
    const show = async (): Promise<Shown> => {
      const outcome = await call().then(
        (result): CallOutcome<Result> => ({ result }),
        (error: unknown): CallOutcome<Result> => ({ error }),
      );
      kept = outcome;
      // A probe that was stopped has shown nothing; elsewhere a call that was stopped counts neither way.
      if (signal.aborted && 'error' in outcome) {
        if (this.state === 'closed') throw new Stopped();
        return { outcome, failed: true };
      }
      return { outcome, failed: isFailure?.(outcome) ?? 'error' in outcome };
    };
    // What it throws is its own refusal, or the news that a call was stopped: the outcome is kept aside.
    await this.#breaker.execute(show).catch(() => undefined);
    if (kept === undefined) throw new CircuitOpenError(PROBE_MS);
    return kept;
  }

  #openFor(attempt: number): number {
    const { openMs, maxOpenMs } = this.#settings;
    const spread = 0.75 + Math.random() / 2;
    const forMs = Math.ceil(Math.min(maxOpenMs, openMs * 2 ** (attempt - 1)) * spread);
    this.#opensAgainAt = performance.now() + forMs;
    return forMs;
  }
}

/** Thrown through the breaker, which counts only what it is shown. */
class Stopped extends Error {}

function refused(error: unknown): never {
  if (error instanceof Error && isBulkheadRejectedError(error)) throw new BulkheadFullError();
  throw error;
}

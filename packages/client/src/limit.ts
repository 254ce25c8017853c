import { TurnpikeConnectionError, TurnpikeError, TurnpikeTimeoutError } from './errors.ts';

/** Setting a timer for longer would end it at once. */
const MOST_MS = 2 ** 31 - 1;

/** Ends something when its caller aborts or its time is over, and knows afterwards which it was. */
export class Limit {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #passedMs: number | null = null;

  constructor(outer: AbortSignal | undefined, timeoutMs: number) {
    this.#outer = outer;
    if (outer?.aborted === true) this.#onAbort();
    else outer?.addEventListener('abort', this.#onAbort, { once: true });
    this.restart(timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Counts anew from now. */
  restart(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#passedMs = timeoutMs;
        this.#controller.abort();
      },
      Math.min(MOST_MS, timeoutMs),
    );
  }

  /** Counts no more, for now. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** What to throw for an error that came under this limit: the caller's reason before all. */
  explain(error: unknown, what: string): unknown {
    if (this.#outer?.aborted === true) return this.#outer.reason;
    if (this.#passedMs !== null) {
      return new TurnpikeTimeoutError(`${what}: no answer within ${this.#passedMs} ms.`, this.#passedMs);
    }
    if (error instanceof TurnpikeError) return error;
    return new TurnpikeConnectionError(`${what}: the connection failed.`, error);
  }

  /** To be called in any case, else the timer keeps a process alive. `abort` also ends what still runs. */
  close(abort = false): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
    if (abort) this.#controller.abort();
  }
}

/** Resolves after so many milliseconds; rejects with the signal's reason where that comes first. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      Math.min(MOST_MS, milliseconds),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

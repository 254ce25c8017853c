import { TurnpikeConnectionError, TurnpikeError, TurnpikeTimeoutError } from './errors.ts';

/** The maximum delay of a timer: a longer one would fire at once. */
const MAX_MS = 2 ** 31 - 1;

/** Aborts work when its caller aborts or a timeout passes, and tells which it was. */
export class Limit {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #expiredMs: number | null = null;

  constructor(outer: AbortSignal | undefined, timeoutMs: number) {
    this.#outer = outer;
    if (outer?.aborted === true) this.#onAbort();
    else outer?.addEventListener('abort', this.#onAbort, { once: true });
    this.restart(timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restarts the timeout. */
  restart(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#expiredMs = timeoutMs;
        this.#controller.abort();
      },
      Math.min(MAX_MS, timeoutMs),
    );
  }

  /** Stops the timeout until `restart`. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** The error to throw for an error that occurred under this limit. The caller's abort reason takes precedence. */
  explain(error: unknown, what: string): unknown {
    if (this.#outer?.aborted === true) return this.#outer.reason;
    if (this.#expiredMs !== null) {
      return new TurnpikeTimeoutError(`${what}: no response within ${this.#expiredMs} ms.`, this.#expiredMs);
    }
    if (error instanceof TurnpikeError) return error;
    return new TurnpikeConnectionError(`${what}: the connection failed.`, error);
  }

  /** Must always be called, or the timer keeps the process alive. `abort` also aborts the work. */
  close(abort = false): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
    if (abort) this.#controller.abort();
  }
}

/** Resolves after this many milliseconds; rejects with the signal's reason if it aborts before. */
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
      Math.min(MAX_MS, milliseconds),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

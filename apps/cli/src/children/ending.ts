import { describeError, Failure } from '../failure.ts';

/** npm and the terminal may both pass on the same Ctrl-C. */
const ONE_KEYSTROKE_MS = 500;

/** Why everything stops: a person stopped it, or something failed. The first reason counts. */
export class Ending {
  /** Resolves with the reason: null where a person stopped it. */
  readonly reason: Promise<Failure | null>;
  /** Aborts calls in progress. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  #settle: (reason: Failure | null) => void = () => undefined;

  constructor() {
    this.signal = this.#abort.signal;
    this.reason = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  want(): void {
    this.#end(null);
  }

  fail(error: unknown): void {
    this.#end(error instanceof Failure ? error : new Failure(describeError(error)));
  }

  #end(reason: Failure | null): void {
    this.#settle(reason);
    this.#abort.abort(new Failure('Everything is being stopped.'));
  }
}

/** The first signal stops everything in order; a further one calls `hurry`. */
export function listenForSignals(ending: Ending, hurry: () => void): void {
  let endingSince: number | null = null;
  ending.signal.addEventListener('abort', () => {
    endingSince = performance.now();
  });
  const onSignal = (): void => {
    if (endingSince === null) ending.want();
    else if (performance.now() - endingSince > ONE_KEYSTROKE_MS) hurry();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
}

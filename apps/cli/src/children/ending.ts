import { describeError, Failure } from '../failure.ts';

/** Npm and the terminal may both pass on one Ctrl-C. */
const ONE_KEYSTROKE_MS = 500;

/** Why all of it stops: somebody wanted it to, or something went wrong. Whatever comes first counts. */
export class Ending {
  /** Resolves with the reason: null when somebody wanted it. */
  readonly reason: Promise<Failure | null>;
  /** Ends calls under way. */
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
    this.#abort.abort(new Failure('All is being stopped.'));
  }
}

/** The first signal ends all in order; another one, once all is ending, calls `hurry`. */
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

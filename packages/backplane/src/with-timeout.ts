import { BackplaneUnavailableError, plainError } from './errors.ts';

/** Made once: without a reason, each abort makes an error with a stack. */
const NO_LONGER_WAITING = new Error('The caller has stopped waiting.');

/** The longest that a caller waits for the backplane. Milliseconds. */
export const RESPONSE_TIMEOUT_MS = 2_000;

/** How long a caller waits. Most requests are sent at once, and ask for no signal: it is made when it is asked for. */
export class Limit {
  #controller: AbortController | null = null;
  #isOver = false;

  /** Aborts when the caller has stopped waiting. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isOver) this.#controller.abort(NO_LONGER_WAITING);
    return this.#controller.signal;
  }

  end(): void {
    this.#isOver = true;
    this.#controller?.abort(NO_LONGER_WAITING);
  }
}

/**
 * The result of `work`; throws `BackplaneUnavailableError` where it fails or takes too long. The limit's signal aborts
 * when the caller has stopped waiting: a request that was not sent by then must not be sent any more.
 */
export async function withTimeout<Result>(
  what: string,
  work: (limit: Limit) => Promise<Result>,
  limitMs: number = RESPONSE_TIMEOUT_MS,
): Promise<Result> {
  const limit = new Limit();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response in ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work(limit), tooLong]);
  } catch (error) {
    throw new BackplaneUnavailableError(what, plainError(error));
  } finally {
    clearTimeout(timer);
    limit.end();
  }
}

/** Waits for a promise, at most `limitMs`; true where it settled in time, fulfilled or rejected. */
export async function settlesWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const settled = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

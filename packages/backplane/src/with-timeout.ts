import { BackplaneUnavailableError, plainError } from './errors.ts';

/** Made once: without a reason, each abort makes an error with a stack. */
const NO_LONGER_WAITING = new Error('The caller has stopped waiting.');

/** The longest that a caller waits for the backplane. Milliseconds. */
export const RESPONSE_TIMEOUT_MS = 2_000;

/**
 * The result of `work`; throws `BackplaneUnavailableError` where it fails or takes too long. The signal aborts when
 * the caller has stopped waiting: a request that was not sent by then must not be sent any more.
 */
export async function withTimeout<Result>(
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
  limitMs: number = RESPONSE_TIMEOUT_MS,
): Promise<Result> {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response in ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work(limit.signal), tooLong]);
  } catch (error) {
    throw new BackplaneUnavailableError(what, plainError(error));
  } finally {
    clearTimeout(timer);
    limit.abort(NO_LONGER_WAITING);
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

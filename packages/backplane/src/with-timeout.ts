import { BackplaneUnavailableError, plainError } from './errors.ts';

/** No caller waits longer than this for the backplane. Milliseconds. */
export const RESPONSE_TIMEOUT_MS = 2_000;

/**
 * The result of `work`, or `BackplaneUnavailableError` where it fails or takes too long. The signal
 * aborts when the caller has stopped waiting: what has not left by then must not leave any more.
 */
export async function withTimeout<Result>(
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
  limitMs: number = RESPONSE_TIMEOUT_MS,
): Promise<Result> {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work(limit.signal), tooLong]);
  } catch (error) {
    throw new BackplaneUnavailableError(what, plainError(error));
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}

/** Waits for it, but not longer than this; true where it settled in time, whichever way. */
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

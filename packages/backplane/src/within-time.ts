import { BackplaneUnavailableError } from './errors.ts';

/** No caller waits longer than this for the backplane. Milliseconds. */
const LIMIT_MS = 2_000;

/**
 * The result of `work`, or `BackplaneUnavailableError` where it fails or takes too long. Work that
 * is given up goes on in the background: whatever becomes of it, the caller has stopped waiting.
 */
export async function withinTime<Result>(what: string, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  try {
    return await Promise.race([work, tooLong]);
  } catch (error) {
    throw new BackplaneUnavailableError(what, error);
  } finally {
    clearTimeout(timer);
  }
}

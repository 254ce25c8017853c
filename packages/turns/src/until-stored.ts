import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailableError } from '@turnpike/store';

const RETRY_MS = 200;

/** Milliseconds before the database is asked again, with jitter. */
export function retryDelayMs(): number {
  return RETRY_MS * (0.5 + Math.random());
}

/**
 * Repeats work that may be done twice while the database cannot be reached.
 * Throws what `assertHeld` throws before each try, and what the work throws otherwise.
 */
export async function untilStored<Result>(
  work: () => Promise<Result>,
  assertHeld: () => void,
): Promise<Result> {
  for (;;) {
    assertHeld();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      await delay(retryDelayMs());
    }
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { RetryableError } from '@turnpike/contract';
import { limitCall } from '../limit-call.ts';

const RETRY_MS = 200;

/**
 * Does `work`, and repeats it while the store is unavailable: it must be idempotent. Throws the signal's reason at
 * once, a `RetryableError` when `limitMs` have passed, and what `work` throws.
 */
export async function untilStored<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
  limitMs: number,
): Promise<Result> {
  const limit = limitCall(signal, limitMs);
  try {
    for (;;) {
      try {
        return await Promise.race([work(), limit.ended]);
      } catch (error) {
        if (limit.signal.aborted || !(error instanceof RetryableError)) throw error;
        await Promise.race([delay(RETRY_MS * (0.5 + Math.random())), limit.ended]);
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!limit.expired()) throw error;
    throw new RetryableError('memory_timeout', `The memory did not respond within ${limitMs} ms.`);
  } finally {
    limit.release();
  }
}

import type { Turn } from './wire/contract.ts';
import { path } from './address.ts';
import { TurnpikeTimeoutError } from './errors.ts';
import { Limit, pause } from './limit.ts';
import type { Transport } from './transport.ts';
import { isFinal, isSettled } from './turn-status.ts';

const POLL_SECONDS = 30;
/** For a condition that can become true during the turn: the service ends a poll only when the turn has settled. */
const SHORT_POLL_SECONDS = 1;
/** Added to the poll's seconds for the round trip. */
const GRACE_MS = 10_000;
/** High, because the wait has its own timeout, and a failed poll tells nothing about the turn. */
const MAX_RETRIES = 60;
/** Pause between polls that the service answers at once. */
const PAUSE_MS = { min: 500, max: 5_000 };

export interface WaitOptions {
  /** Timeout of the whole wait. Default: 10 minutes. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** `settled` (default): ended, or in `requires_action`. `final`: ended. Or your own condition. Every wait ends with the turn. */
  until?: 'settled' | 'final' | ((turn: Turn) => boolean) | undefined;
}

/** Polls until the condition holds. Throws `TurnpikeTimeoutError` after the timeout; the turn continues to run. */
export async function waitForTurn(transport: Transport, id: string, options: WaitOptions): Promise<Turn> {
  const { until = 'settled', timeoutMs = 600_000 } = options;
  const isReached = typeof until === 'function' ? until : until === 'final' ? hasEnded : hasSettled;
  const maxSeconds = typeof until === 'function' ? SHORT_POLL_SECONDS : POLL_SECONDS;
  const end = performance.now() + timeoutMs;
  const limit = new Limit(options.signal, timeoutMs);
  let pauseMs = PAUSE_MS.min;
  try {
    for (;;) {
      const left = Math.max(0, end - performance.now());
      const wait = Math.min(maxSeconds, Math.ceil(left / 1000));
      const startedAt = performance.now();
      const turn = await transport.call<Turn>(
        { method: 'GET', path: path`/v1/turns/${id}`, query: { wait } },
        { signal: limit.signal, timeoutMs: wait * 1000 + GRACE_MS, maxRetries: MAX_RETRIES },
      );
      if (isFinal(turn.status) || isReached(turn)) return turn;
      // The service ends a poll at once if the turn has settled, or if too many polls wait.
      const wasHeld = performance.now() - startedAt >= PAUSE_MS.min;
      if (!isSettled(turn.status) && wasHeld) continue;
      await pause(pauseMs * (0.5 + Math.random() / 2), limit.signal);
      pauseMs = Math.min(PAUSE_MS.max, pauseMs * 2);
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    options.signal?.throwIfAborted();
    throw new TurnpikeTimeoutError(`The wait for ${id} timed out after ${timeoutMs} ms.`, timeoutMs);
  } finally {
    limit.close();
  }
}

const hasEnded = ({ status }: Turn): boolean => isFinal(status);
const hasSettled = ({ status }: Turn): boolean => isSettled(status);

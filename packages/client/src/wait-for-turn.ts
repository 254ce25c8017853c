import type { Turn } from './wire/contract.ts';
import { path } from './address.ts';
import { TurnpikeTimeoutError } from './errors.ts';
import { Limit, pause } from './limit.ts';
import type { Transport } from './transport.ts';
import { isFinal, isSettled } from './turn-status.ts';

const POLL_SECONDS = 30;
/** Where it may become so in the middle of the turn: the service answers when it has settled. */
const SHORT_POLL_SECONDS = 1;
/** Beyond the seconds of the poll, for the way there and back. */
const GRACE_MS = 10_000;
/** It has a time of its own; and a poll that is cut off before it is answered tells nothing of progress. */
const FAILURES_IN_A_ROW = 60;
/** Between two looks at a turn that would be answered at once. */
const PAUSE_MS = { least: 500, most: 5_000 };

export interface WaitOptions {
  /** Of the whole wait. Default: 10 minutes. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** `settled` (default): ended, or in `requires_action`. `final`: ended. Or what you say; a turn that ended ends any wait. */
  until?: 'settled' | 'final' | ((turn: Turn) => boolean) | undefined;
}

/** Polls until it is as it is waited for. Throws `TurnpikeTimeoutError` when the time is over: the turn goes on. */
export async function waitForTurn(transport: Transport, id: string, options: WaitOptions): Promise<Turn> {
  const { until = 'settled', timeoutMs = 600_000 } = options;
  const isThere = typeof until === 'function' ? until : until === 'final' ? hasEnded : needsNobody;
  const most = typeof until === 'function' ? SHORT_POLL_SECONDS : POLL_SECONDS;
  const end = performance.now() + timeoutMs;
  const limit = new Limit(options.signal, timeoutMs);
  let pauseMs = PAUSE_MS.least;
  try {
    for (;;) {
      const left = Math.max(0, end - performance.now());
      const wait = Math.min(most, Math.ceil(left / 1000));
      const askedAt = performance.now();
      const turn = await transport.call<Turn>(
        { method: 'GET', path: path`/v1/turns/${id}`, query: { wait } },
        { signal: limit.signal, timeoutMs: wait * 1000 + GRACE_MS, maxRetries: FAILURES_IN_A_ROW },
      );
      if (isFinal(turn.status) || isThere(turn)) return turn;
      // It would be answered at once, again and again: it has settled, or nobody else can wait there now.
      const wasHeld = performance.now() - askedAt >= PAUSE_MS.least;
      if (!isSettled(turn.status) && wasHeld) continue;
      await pause(pauseMs * (0.5 + Math.random() / 2), limit.signal);
      pauseMs = Math.min(PAUSE_MS.most, pauseMs * 2);
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    options.signal?.throwIfAborted();
    throw new TurnpikeTimeoutError(`${id} is not there yet after ${timeoutMs} ms.`, timeoutMs);
  } finally {
    limit.close();
  }
}

const hasEnded = ({ status }: Turn): boolean => isFinal(status);
const needsNobody = ({ status }: Turn): boolean => isSettled(status);

import type { TurnEvent } from './wire/contract.ts';
import { TurnpikeConnectionError } from './errors.ts';
import type { EventDeduplicator } from './event-deduplicator.ts';
import { Limit, pause } from './limit.ts';
import { readFrames } from './read-frames.ts';
import { readProblem } from './read-problem.ts';
import { canSucceedLater, retryDelayMs } from './retry-delay.ts';
import type { Transport } from './transport.ts';

/** A sign of life comes every 15 seconds: without three of them, nobody is there. */
const IDLE_MS = 45_000;
const FAILURES_IN_A_ROW = 12;
/** A connection that lived so long was none that failed, though it brought nothing. */
const LASTING_MS = 5_000;
const RETRY_MS = 1_000;

export interface FollowOptions {
  signal?: AbortSignal | undefined;
  /** With nothing for so long, not even a sign of life, the client connects again. Default: 45 seconds. */
  idleTimeoutMs?: number | undefined;
  /** Connections in a row that bring nothing, before it gives up. Default: 12, about half a minute. */
  maxFailures?: number | undefined;
}

export interface EventSource {
  path: string;
  /** True for a turn's; a session's goes on for ever. */
  endsWithTurn: boolean;
}

/**
 * Yields events from the sieve's cursor on, and connects again by itself. Throws `TurnpikeApiError` for what
 * cannot succeed (such as `not_found`, `cursor_expired`), the last failure after too many in a row, or the
 * signal's reason.
 */
export async function* followEvents(
  transport: Transport,
  { path, endsWithTurn }: EventSource,
  sieve: EventDeduplicator,
  { signal, idleTimeoutMs = IDLE_MS, maxFailures = FAILURES_IN_A_ROW }: FollowOptions,
): AsyncGenerator<TurnEvent, void, undefined> {
  let failures = 0;
  let retryMs = RETRY_MS;
  for (;;) {
    signal?.throwIfAborted();
    // The head of a stream is sent at once.
    const limit = new Limit(signal, Math.min(transport.timeoutMs, idleTimeoutMs));
    let failure: unknown = new TurnpikeConnectionError('The stream ends, again and again, with nothing new.');
    let openedAt = Infinity;
    let progress = false;
    const onBytes = (): void => void (progress ||= performance.now() - openedAt > LASTING_MS);
    const onRetry = (milliseconds: number): void => void (retryMs = milliseconds);
    try {
      const response = await openStream(transport, path, sieve.cursor, limit);
      if (response === null) return;
      openedAt = performance.now();
      for await (const frame of readFrames(response, limit, idleTimeoutMs, { onBytes, onRetry })) {
        signal?.throwIfAborted();
        const event = sieve.take(frame);
        if (event === null) continue;
        progress = true;
        yield event;
        if (endsWithTurn && isEnd(event)) return;
      }
    } catch (error) {
      failure = limit.explain(error, `GET ${path}`);
      if (signal?.aborted === true || !canSucceedLater(failure)) throw failure;
    } finally {
      limit.close(true);
    }
    failures = progress ? 0 : failures + 1;
    if (failures > maxFailures) throw failure;
    // The service gives each client another time to come back after, so that they do not come at once.
    await pause(failures === 0 ? retryMs : retryDelayMs(failure, failures, retryMs / 2), signal);
  }
}

/** Null where nothing can follow the cursor. */
async function openStream(
  transport: Transport,
  path: string,
  cursor: string | undefined,
  limit: Limit,
): Promise<Response | null> {
  const headers = {
    accept: 'text/event-stream',
    ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
  };
  const response = await transport.open({ method: 'GET', path }, headers, limit);
  if (response.status === 204) return null;
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!response.ok || !isStream) throw readProblem(response, await response.text());
  return response;
}

function isEnd({ type }: TurnEvent): boolean {
  return /^turn\.(completed|failed|cancelled|incomplete)$/.test(type);
}

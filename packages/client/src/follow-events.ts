import type { TurnEvent } from './wire/contract.ts';
import { TurnpikeConnectionError } from './errors.ts';
import type { EventDeduplicator } from './event-deduplicator.ts';
import { Limit, pause } from './limit.ts';
import { readFrames } from './read-frames.ts';
import { readProblem } from './read-problem.ts';
import { canSucceedLater, retryDelayMs } from './retry-delay.ts';
import type { Transport } from './transport.ts';

/** The service sends a heartbeat every 15 seconds: after three missed ones the connection is considered lost. */
const IDLE_MS = 45_000;
const MAX_FAILURES = 12;
/** A connection that was open this long does not count as failed, even if it brought no event. */
const HEALTHY_MS = 5_000;
const RETRY_MS = 1_000;

export interface FollowOptions {
  signal?: AbortSignal | undefined;
  /** The client reconnects after this long without any data, heartbeats included. Default: 45 seconds. */
  idleTimeoutMs?: number | undefined;
  /** Failed connections in a row before the client gives up. Default: 12, about half a minute. */
  maxFailures?: number | undefined;
}

export interface EventSource {
  path: string;
  /** True for a turn's stream; a session's stream never ends. */
  endsWithTurn: boolean;
}

/**
 * Yields events from the deduplicator's cursor on, and reconnects automatically. Throws `TurnpikeApiError` for an
 * error that a retry cannot fix (such as `not_found`, `cursor_expired`), the last failure after too many in a row,
 * or the signal's reason.
 */
export async function* followEvents(
  transport: Transport,
  { path, endsWithTurn }: EventSource,
  deduplicator: EventDeduplicator,
  { signal, idleTimeoutMs = IDLE_MS, maxFailures = MAX_FAILURES }: FollowOptions,
): AsyncGenerator<TurnEvent, void, undefined> {
  let failures = 0;
  let retryMs = RETRY_MS;
  for (;;) {
    signal?.throwIfAborted();
    // The service sends the head of a stream at once.
    const limit = new Limit(signal, Math.min(transport.timeoutMs, idleTimeoutMs));
    let failure: unknown = new TurnpikeConnectionError('The stream ended repeatedly without a new event.');
    let openedAt = Infinity;
    let progress = false;
    const onBytes = (): void => void (progress ||= performance.now() - openedAt > HEALTHY_MS);
    const onRetry = (milliseconds: number): void => void (retryMs = milliseconds);
    try {
      const response = await openStream(transport, path, deduplicator.cursor, limit);
      if (response === null) return;
      openedAt = performance.now();
      for await (const frame of readFrames(response, limit, idleTimeoutMs, { onBytes, onRetry })) {
        signal?.throwIfAborted();
        const event = deduplicator.accept(frame);
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
    // The service gives each client a different retry delay, so that they do not reconnect at the same time.
    await pause(failures === 0 ? retryMs : retryDelayMs(failure, failures, retryMs / 2), signal);
  }
}

/** Null if no event can follow the cursor. */
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

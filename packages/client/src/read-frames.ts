import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { TurnpikeConnectionError } from './errors.ts';
import type { Limit } from './limit.ts';

/** Limit of one event in characters, far more than the service sends. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
const MAX_RETRY_MS = 30_000;

export interface FrameHooks {
  /** Data arrived, possibly only a heartbeat. */
  onBytes: () => void;
  /** The service set the reconnection delay, in milliseconds. */
  onRetry: (milliseconds: number) => void;
}

/**
 * Yields the server-sent events of a response until it ends. After `idleMs` without data, `limit` aborts the
 * connection; the time that the consumer spends on an event does not count.
 */
export async function* readFrames(
  response: Response,
  limit: Limit,
  idleMs: number,
  hooks: FrameHooks,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  let frames: EventSourceMessage[] = [];
  let tooLong = false;
  const parser = createParser({
    maxBufferSize: MAX_CHARACTERS,
    onEvent: (frame) => void frames.push(frame),
    onRetry: (milliseconds) => hooks.onRetry(Math.min(MAX_RETRY_MS, milliseconds)),
    onError: ({ type }) => (tooLong ||= type === 'max-buffer-size-exceeded'),
  });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    limit.restart(idleMs);
    const chunk = await reader?.read();
    limit.pause();
    if (chunk === undefined || chunk.done) return;
    hooks.onBytes();
    parser.feed(decoder.decode(chunk.value, { stream: true }));
    if (tooLong) throw new TurnpikeConnectionError('An event is too long.');
    const complete = frames;
    frames = [];
    yield* complete;
  }
}

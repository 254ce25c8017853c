import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { TurnpikeConnectionError } from './errors.ts';
import type { Limit } from './limit.ts';

/** Characters of one event. Far more than the service sends. */
const MOST_CHARACTERS = 64 * 1024 * 1024;
const MOST_RETRY_MS = 30_000;

export interface FrameHooks {
  /** Something came, if only a sign of life. */
  onBytes: () => void;
  /** How long to wait before coming back, in milliseconds. */
  onRetry: (milliseconds: number) => void;
}

/**
 * The server-sent events of an answer, until it ends. With nothing at all for `idleMs`, the connection is
 * taken for dead; the time that the reader spends on an event does not count.
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
    maxBufferSize: MOST_CHARACTERS,
    onEvent: (frame) => void frames.push(frame),
    onRetry: (milliseconds) => hooks.onRetry(Math.min(MOST_RETRY_MS, milliseconds)),
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

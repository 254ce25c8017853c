import type { EventPosition, PositionedFact } from '@turnpike/store';
import type { Response } from 'express';
import { isBefore } from './event-cursor.ts';
import type { FeedText } from './feed-text.ts';
import { PAGE, type Feed, type FeedReader } from './feed.ts';
import type { StreamFrames } from './stream-frames.ts';

/** How long a client waits before it reconnects: another time for each, so that they do not reconnect at once. */
const RETRY_MS = { least: 250, most: 1_000 };
/** Above this many unsent bytes previews are held back, and joined when the client has caught up. */
const PREVIEW_LIMIT_BYTES = 64 * 1024;
/** Above this many the client is disconnected: it reconnects with its cursor when it can. */
const CUT_LIMIT_BYTES = 1024 * 1024;
/** A client that has received none of the unsent bytes for this long is disconnected. */
const STALLED_MS = 60_000;
/** How long the unsent bytes may take at the end. */
const GOODBYE_MS = 5_000;
/** Then the client must reconnect and authenticate again: a revoked key stops reading. */
const LONGEST_MS = 15 * 60_000;

export interface StreamParts {
  feed: Feed;
  response: Response;
  /** The position of the last event that the client has. */
  position: EventPosition;
  /** The turn of that event; null where there is none. */
  turnId: string | null;
  frames: StreamFrames;
  onEnd: () => void;
  onError: (error: unknown) => void;
}

/** One client that reads events. It never delays other clients, and its memory is bounded. */
export class EventStream implements FeedReader {
  readonly #parts: StreamParts;
  position: EventPosition;
  turnId: string | null;
  readonly #openedAt = performance.now();
  #writtenAt = 0;
  #fullSince: number | null = null;
  #ended = false;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.position = parts.position;
    this.turnId = parts.turnId;
    const { response } = parts;
    response.once('close', () => this.#leave());
    response.on('drain', () => {
      this.#fullSince = null;
      this.show(parts.feed.text);
    });
    response.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    // One stream, one connection: it is not reused.
    response.shouldKeepAlive = false;
    response.flushHeaders();
    const retryMs = RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least);
    this.#write(`retry: ${Math.round(retryMs)}\n\n${parts.frames.begin()}`);
  }

  /** Sends the events since the cursor, then follows the feed. Never throws. */
  async run(): Promise<void> {
    const { feed, frames } = this.#parts;
    if (frames.ended) return this.end();
    try {
      await feed.ready();
      while (!this.#ended) {
        const { wakes } = feed;
        const facts = await feed.source.read(this.position, PAGE);
        for (const fact of facts) {
          this.take([fact]);
          await this.#untilDrained();
        }
        if (this.#ended || (facts.length < PAGE && feed.join(this, wakes))) return;
      }
    } catch (error) {
      this.#parts.onError(error);
      this.end();
    }
  }

  take(facts: readonly PositionedFact[]): void {
    const { frames } = this.#parts;
    for (const each of facts) {
      if (this.#ended) return;
      const { fact, position } = each;
      if (!isBefore(this.position, position)) continue;
      if (this.#parts.response.writableLength > CUT_LIMIT_BYTES) {
        this.cut();
        return;
      }
      this.#write(frames.fact(each));
      this.position = position;
      this.turnId = fact.turn_id;
      if (frames.ended) this.end();
    }
  }

  show(text: FeedText): void {
    if (this.#ended || text.turnId !== this.turnId) return;
    // It follows exactly the event that it is the text after: once its step is committed, it is in an event.
    if (text.attempt !== this.position.sequenceNumber) return;
    if (this.#parts.response.writableLength > PREVIEW_LIMIT_BYTES) return;
    this.#write(this.#parts.frames.text(text));
    if (this.#parts.frames.ended) this.end();
  }

  showProgress(turnId: string, frame: string): void {
    if (this.#ended || turnId !== this.turnId) return;
    if (this.#parts.response.writableLength <= PREVIEW_LIMIT_BYTES)
      this.#write(this.#parts.frames.progress(frame));
  }

  /** Called at intervals: sends a comment on a silent connection, ends one that receives nothing. */
  beat(now: number, silentMs: number): void {
    if (now - this.#openedAt > LONGEST_MS) this.end();
    else if (this.#fullSince !== null) {
      if (now - this.#fullSince > STALLED_MS) this.cut();
    } else if (now - this.#writtenAt >= silentMs) this.#write(':\n\n');
  }

  /** The client gets nothing more over this connection. */
  end(): void {
    if (this.#ended) return;
    const { response, frames } = this.#parts;
    if (!frames.ended && frames.cutsUnfinished === true) return this.cut();
    this.#leave();
    response.end();
    // A client that does not receive it is not waited for.
    const timer = setTimeout(() => response.destroy(), GOODBYE_MS).unref();
    response.once('close', () => clearTimeout(timer));
  }

  /** Without waiting for unsent bytes. */
  cut(): void {
    this.#leave();
    this.#parts.response.destroy();
  }

  #write(frame: string): void {
    if (frame === '') return;
    this.#writtenAt = performance.now();
    if (!this.#parts.response.write(frame)) this.#fullSince ??= this.#writtenAt;
  }

  #leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.feed.leave(this);
    this.#parts.onEnd();
  }

  async #untilDrained(): Promise<void> {
    const { response } = this.#parts;
    if (this.#ended || !response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const goOn = (): void => {
        response.off('drain', goOn).off('close', goOn);
        resolve();
      };
      response.on('drain', goOn).on('close', goOn);
    });
  }
}

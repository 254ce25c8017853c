import type { Live, LiveUpdate, ToolProgress } from '@turnpike/backplane';
import type { ToolProgress as ShownProgress } from '@turnpike/contract';
import { encodeFrame } from '@turnpike/dialect-base';
import type { EventPosition, PositionedFact } from '@turnpike/store';
import { isBefore } from './event-cursor.ts';
import { FeedText } from './feed-text.ts';

/** Events of one read. */
export const PAGE = 100;
/** Reads without a signal are spread over this part of the interval. */
const INTERVAL_SPREAD = 0.5;
/** How long a reader waits for the subscription to be confirmed; then it goes on, and reads again once it is. */
const READY_LIMIT_MS = 200;
const RELOAD_EVERY_MS = 500;

/** Where a feed's events come from. */
export interface FeedSource {
  /** Identifies the feed. */
  key: string;
  sessionId: string;
  read(after: EventPosition, limit: number): Promise<PositionedFact[]>;
  /** False once the turn or the session was erased. */
  isThere(): Promise<boolean>;
}

/** One reader of a feed. */
export interface FeedReader {
  /** The position of the last event that it has. */
  readonly position: EventPosition;
  readonly turnId: string | null;
  take(facts: readonly PositionedFact[]): void;
  /** There may be more text to show. */
  show(text: FeedText): void;
  /** A tool call of this turn showed how far it is. */
  showProgress(turnId: string, frame: string): void;
  /** No further events will come. */
  end(): void;
}

/**
 * Reads the new events of one turn, or one session, once for all its readers in this process. A reader joins after it
 * has read the earlier events by itself; from then on, signals say when to read.
 */
export class Feed {
  readonly source: FeedSource;
  readonly text = new FeedText();
  readonly #live: Live;
  readonly #onError: (error: unknown) => void;
  readonly #onTurn: (turnId: string) => void;
  readonly #readers = new Set<FeedReader>();
  readonly #ready: Promise<void>;
  /** The position that was passed on to readers; null while there are none. */
  #position: EventPosition | null = null;
  #turnId: string | null = null;
  readonly #readEveryMs: number;
  #wakes = 0;
  #reading = false;
  #readAgain = false;
  #reloadedAt = -Infinity;
  #look: NodeJS.Timeout | undefined;
  #unwatch: (() => Promise<void>) | null = null;
  #closed = false;

  constructor(parts: {
    source: FeedSource;
    live: Live;
    readEveryMs: number;
    onError: (error: unknown) => void;
    /** The feed reads this turn now. */
    onTurn: (turnId: string) => void;
  }) {
    this.source = parts.source;
    this.#live = parts.live;
    this.#readEveryMs = parts.readEveryMs;
    this.#onError = parts.onError;
    this.#onTurn = parts.onTurn;
    this.#ready = this.#watch();
    this.#readLater();
  }

  /** How many signals it has had. */
  get wakes(): number {
    return this.#wakes;
  }

  /** Resolves when the subscription is confirmed, or takes too long. */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, READY_LIMIT_MS);
    });
    await Promise.race([this.#ready, limit]);
    clearTimeout(timer);
  }

  /**
   * Adds a reader that has read to the end; false where the feed is ahead, and the reader must read on. `wakes` is the
   * feed's `wakes` before the reader's last read.
   */
  join(reader: FeedReader, wakes: number): boolean {
    if (this.#closed) return true;
    if (this.#position !== null && isBefore(reader.position, this.#position)) return false;
    this.#readers.add(reader);
    if (this.#position === null) this.#moveTo(reader.position, reader.turnId);
    if (wakes !== this.#wakes) this.wake(null);
    reader.show(this.text);
    return true;
  }

  leave(reader: FeedReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#position = null;
  }

  /** There may be more events: of this turn up to this number, where that is known. */
  wake(update: { turnId: string; eventCount: number } | null): void {
    const isKnown =
      update !== null &&
      update.turnId === this.#turnId &&
      update.eventCount <= (this.#position?.sequenceNumber ?? -1);
    if (isKnown) return;
    this.#wakes += 1;
    if (this.#position === null || this.#closed) return;
    if (this.#reading) this.#readAgain = true;
    else void this.#readOn();
  }

  /** Signals may have been lost. */
  signalsLost(): void {
    this.wake(null);
    this.#reload();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#look);
    this.#unwatch?.().catch(this.#onError);
    this.#readers.clear();
  }

  async #watch(): Promise<void> {
    try {
      const unwatch = await this.#live.watch(this.source.sessionId, (update) => this.#hear(update));
      if (this.#closed) await unwatch();
      else this.#unwatch = unwatch;
    } catch (error) {
      this.#onError(error);
    }
    // Signals before that were not received.
    this.#wakes += 1;
    await this.#loadText();
    if (this.#readers.size > 0) this.wake(null);
  }

  #hear({ turnId, eventCount, text, progress }: LiveUpdate): void {
    if (this.#closed) return;
    if (eventCount === null) this.wake(null);
    else if (eventCount !== undefined) this.wake({ turnId, eventCount });
    if (progress !== undefined) this.#showProgress(turnId, progress);
    if (text === undefined) return;
    if (!this.text.take(turnId, text)) this.#reload();
    // It follows an event that may not have been read yet.
    this.wake({ turnId, eventCount: text.attempt });
    this.#showText();
  }

  #reload(): void {
    if (performance.now() - this.#reloadedAt < RELOAD_EVERY_MS) return;
    void this.#loadText();
  }

  async #loadText(): Promise<void> {
    this.#reloadedAt = performance.now();
    try {
      for (const { turnId, text } of await this.#live.kept(this.source.sessionId)) {
        if (text !== undefined) this.text.take(turnId, text);
      }
    } catch (error) {
      this.#onError(error);
    }
    this.#showText();
  }

  async #readOn(): Promise<void> {
    this.#reading = true;
    try {
      do {
        this.#readAgain = false;
        const from = this.#position;
        if (from === null) break;
        const facts = await this.source.read(from, PAGE);
        // All readers may have left meanwhile, and one may have joined that is behind.
        if (this.#position !== from) {
          this.#readAgain = true;
          continue;
        }
        this.#handOn(facts);
        this.#readAgain ||= facts.length === PAGE;
        if (facts.length === 0 && !(await this.source.isThere())) this.#end();
      } while (this.#readAgain && !this.#closed);
    } catch (error) {
      // The next read finds what this one did not.
      this.#onError(error);
    } finally {
      this.#reading = false;
    }
    this.#showText();
  }

  #handOn(facts: readonly PositionedFact[]): void {
    const last = facts.at(-1);
    if (last === undefined || this.#position === null) return;
    for (const reader of this.#readers) reader.take(facts);
    // Readers that got the end may all be gone by now.
    if (this.#position !== null) this.#moveTo(last.position, last.fact.turn_id);
  }

  #moveTo(position: EventPosition, turnId: string | null): void {
    this.#position = position;
    if (turnId === null || turnId === this.#turnId) return;
    this.#turnId = turnId;
    this.#onTurn(turnId);
  }

  #showText(): void {
    for (const reader of this.#readers) reader.show(this.text);
  }

  /** Not kept: a reader that joins later sees what the call shows next. */
  #showProgress(turnId: string, { toolCallId, progress }: ToolProgress): void {
    const event = { type: 'tool.progress' as const, turn_id: turnId, tool_call_id: toolCallId, progress };
    const frame = encodeFrame(event.type, event satisfies ShownProgress);
    for (const reader of this.#readers) reader.showProgress(turnId, frame);
  }

  /** It was erased: no further events will come. */
  #end(): void {
    for (const reader of this.#readers) reader.end();
  }

  /** Makes up for a signal that was lost. */
  #readLater(): void {
    const inMs = this.#readEveryMs * (1 + Math.random() * INTERVAL_SPREAD);
    this.#look = setTimeout(() => {
      this.wake(null);
      this.#readLater();
    }, inMs).unref();
  }
}

import type { Live, LiveUpdate } from '@turnpike/backplane';
import type { EventPosition, PositionedFact } from '@turnpike/store';
import { isBefore } from './event-cursor.ts';
import { FeedText } from './feed-text.ts';

/** Facts of one read. */
export const PAGE = 100;
/** Looks that make up for lost signals are spread over this part of the time between them. */
const LOOK_SPREAD = 0.5;
/** How long a reader waits for the server's word that signals come; it goes on, and looks again then. */
const READY_LIMIT_MS = 200;
const RELOAD_EVERY_MS = 500;

/** Where a feed's facts come from. */
export interface FeedSource {
  /** Tells feeds apart. */
  key: string;
  sessionId: string;
  read(after: EventPosition, limit: number): Promise<PositionedFact[]>;
  /** False once what it is about was erased. */
  isThere(): Promise<boolean>;
  cursorOf(place: EventPosition): string;
}

/** One of those who follow a feed. */
export interface FeedReader {
  /** The last fact that it has. */
  readonly place: EventPosition;
  readonly turnId: string | null;
  take(facts: readonly PositionedFact[]): void;
  /** There may be more text to show. */
  show(text: FeedText): void;
  /** Nothing will ever come again. */
  end(): void;
}

/**
 * What is new of one turn, or one session, read once for all who follow it in this process. They join
 * when they have read for themselves what is behind them; from then on, signals say when to read.
 */
export class Feed {
  readonly source: FeedSource;
  readonly text = new FeedText();
  readonly #live: Live;
  readonly #onError: (error: unknown) => void;
  readonly #onTurn: (turnId: string) => void;
  readonly #readers = new Set<FeedReader>();
  readonly #ready: Promise<void>;
  /** How far what was handed on goes; null while nobody follows. */
  #place: EventPosition | null = null;
  #turnId: string | null = null;
  readonly #lookEveryMs: number;
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
    lookEveryMs: number;
    onError: (error: unknown) => void;
    /** The feed is at this turn now. */
    onTurn: (turnId: string) => void;
  }) {
    this.source = parts.source;
    this.#live = parts.live;
    this.#lookEveryMs = parts.lookEveryMs;
    this.#onError = parts.onError;
    this.#onTurn = parts.onTurn;
    this.#ready = this.#watch();
    this.#lookLater();
  }

  /** How often it was told that there may be more. */
  get wakes(): number {
    return this.#wakes;
  }

  /** Resolves when signals come, or when that takes too long to wait for. */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, READY_LIMIT_MS);
    });
    await Promise.race([this.#ready, limit]);
    clearTimeout(timer);
  }

  /**
   * Takes in a reader that has read to the end; false where the feed is further, and it must read on.
   * `wakes` is what `wakes` was before its last read.
   */
  join(reader: FeedReader, wakes: number): boolean {
    if (this.#closed) return true;
    if (this.#place !== null && isBefore(reader.place, this.#place)) return false;
    this.#readers.add(reader);
    if (this.#place === null) this.#moveTo(reader.place, reader.turnId);
    if (wakes !== this.#wakes) this.wake(null);
    reader.show(this.text);
    return true;
  }

  leave(reader: FeedReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#place = null;
  }

  /** There may be more: of this turn up to this number, where that is known. */
  wake(news: { turnId: string; eventCount: number } | null): void {
    const isKnown =
      news !== null && news.turnId === this.#turnId && news.eventCount <= (this.#place?.sequenceNumber ?? -1);
    if (isKnown) return;
    this.#wakes += 1;
    if (this.#place === null || this.#closed) return;
    if (this.#reading) this.#readAgain = true;
    else void this.#readOn();
  }

  /** Signals may have been lost. */
  lookAgain(): void {
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
      const unwatch = await this.#live.watch(this.source.sessionId, (news) => this.#hear(news));
      if (this.#closed) await unwatch();
      else this.#unwatch = unwatch;
    } catch (error) {
      this.#onError(error);
    }
    // What was said before that was not heard.
    this.#wakes += 1;
    await this.#loadText();
    if (this.#readers.size > 0) this.wake(null);
  }

  #hear({ turnId, eventCount, text }: LiveUpdate): void {
    if (this.#closed) return;
    if (eventCount === null) this.wake(null);
    else if (eventCount !== undefined) this.wake({ turnId, eventCount });
    if (text === undefined) return;
    if (!this.text.take(turnId, text)) this.#reload();
    // It comes after a fact that may not be here yet.
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
        const from = this.#place;
        if (from === null) break;
        const facts = await this.source.read(from, PAGE);
        // All may have left meanwhile, and somebody come who is not that far.
        if (this.#place !== from) {
          this.#readAgain = true;
          continue;
        }
        this.#handOn(facts);
        this.#readAgain ||= facts.length === PAGE;
        if (facts.length === 0 && !(await this.source.isThere())) this.#end();
      } while (this.#readAgain && !this.#closed);
    } catch (error) {
      // The next look finds what this one did not.
      this.#onError(error);
    } finally {
      this.#reading = false;
    }
    this.#showText();
  }

  #handOn(facts: readonly PositionedFact[]): void {
    const last = facts.at(-1);
    if (last === undefined || this.#place === null) return;
    for (const reader of this.#readers) reader.take(facts);
    // Those that took the end may all be gone by now.
    if (this.#place !== null) this.#moveTo(last.place, last.fact.turn_id);
  }

  #moveTo(place: EventPosition, turnId: string | null): void {
    this.#place = place;
    if (turnId === null || turnId === this.#turnId) return;
    this.#turnId = turnId;
    this.#onTurn(turnId);
  }

  #showText(): void {
    for (const reader of this.#readers) reader.show(this.text);
  }

  /** It was erased: nothing will come again. */
  #end(): void {
    for (const reader of this.#readers) reader.end();
  }

  /** A signal that was lost is made up for so. */
  #lookLater(): void {
    const inMs = this.#lookEveryMs * (1 + Math.random() * LOOK_SPREAD);
    this.#look = setTimeout(() => {
      this.wake(null);
      this.#lookLater();
    }, inMs).unref();
  }
}

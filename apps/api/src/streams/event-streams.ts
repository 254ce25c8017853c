import type { Live } from '@turnpike/backplane';
import { ProblemError } from '@turnpike/contract';
import type { EventPosition } from '@turnpike/store';
import type { Response } from 'express';
import { EventStream } from './event-stream.ts';
import { Feed, type FeedSource } from './feed.ts';
import type { StreamFrames } from './stream-frames.ts';

const BEAT_EVERY_MS = 1_000;
/** After signals were lost all feeds read again, spread over this time for each of them. */
const SPREAD_PER_FEED_MS = 2;
/** A feed is kept this long after its last reader: most readers reconnect. */
const LINGER_MS = 2_000;

export interface StreamSettings {
  maxStreams: number;
  maxStreamsPerTenant: number;
  /** The longest silence on a connection. Milliseconds. */
  heartbeatMs: number;
  /** A feed reads after this time, or half as much again, even without a signal. Milliseconds. */
  readEveryMs: number;
}

export const STREAM_DEFAULTS: StreamSettings = {
  maxStreams: 10_000,
  maxStreamsPerTenant: 2_000,
  heartbeatMs: 15_000,
  readEveryMs: 10_000,
};

interface OpenFeed {
  feed: Feed;
  streams: number;
  turnIds: Set<string>;
}

/** All event streams of this process: bounded in number, with one feed for each turn or session. */
export class EventStreams {
  readonly #live: Live;
  readonly #settings: StreamSettings;
  readonly #onError: (error: unknown) => void;
  readonly #streams = new Map<EventStream, string>();
  readonly #byTenant = new Map<string, number>();
  readonly #feeds = new Map<string, OpenFeed>();
  readonly #byTurn = new Map<string, Set<Feed>>();
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(live: Live, settings: StreamSettings, onError: (error: unknown) => void) {
    this.#live = live;
    this.#settings = settings;
    this.#onError = onError;
    this.#timer = setInterval(() => this.#beat(), Math.min(BEAT_EVERY_MS, settings.heartbeatMs / 2)).unref();
  }

  get count(): number {
    return this.#streams.size;
  }

  /** How many turns and sessions are followed. */
  get feedCount(): number {
    return this.#feeds.size;
  }

  /**
   * Responds with a stream of the events after `position`, and of those to come.
   * Throws `ProblemError`: `too_many_streams`, and `not_ready` while the process stops.
   */
  serve(
    response: Response,
    stream: {
      tenantId: string;
      source: FeedSource;
      position: EventPosition;
      turnId: string | null;
      frames: StreamFrames;
    },
  ): void {
    const { tenantId, source, ...rest } = stream;
    this.#admit(tenantId);
    // The client disconnected while its turn was looked up.
    if (response.destroyed) return;
    const open = this.#openFeed(source, stream.turnId);
    const opened = new EventStream({
      ...rest,
      feed: open.feed,
      response,
      onEnd: () => this.#removed(opened, tenantId, open),
      onError: this.#onError,
    });
    open.streams += 1;
    this.#streams.set(opened, tenantId);
    this.#byTenant.set(tenantId, (this.#byTenant.get(tenantId) ?? 0) + 1);
    void opened.run();
  }

  /** A signal that this turn changed. */
  wake(turnId: string): void {
    for (const feed of this.#byTurn.get(turnId) ?? []) feed.wake(null);
  }

  /** Signals may have been lost: every feed reads again, but not all at once. */
  wakeAll(): void {
    const spreadMs = this.#feeds.size * SPREAD_PER_FEED_MS;
    for (const { feed } of this.#feeds.values()) {
      setTimeout(() => feed.signalsLost(), Math.random() * spreadMs).unref();
    }
  }

  /** Ends every stream: clients reconnect to another process. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const stream of this.#streams.keys()) stream.end();
    for (const { feed } of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    this.#byTurn.clear();
  }

  #admit(tenantId: string): void {
    if (this.#closed) {
      throw new ProblemError('not_ready', 'This process is stopping. Try again.', { retryAfterSeconds: 1 });
    }
    const isFull =
      this.#streams.size >= this.#settings.maxStreams ||
      (this.#byTenant.get(tenantId) ?? 0) >= this.#settings.maxStreamsPerTenant;
    if (isFull) {
      const detail = 'Too many streams are open. Close some, or read with `?wait=`.';
      throw new ProblemError('too_many_streams', detail, { retryAfterSeconds: 5 });
    }
  }

  #openFeed(source: FeedSource, turnId: string | null): OpenFeed {
    const known = this.#feeds.get(source.key);
    if (known !== undefined) return known;
    const turnIds = new Set<string>();
    const feed = new Feed({
      source,
      live: this.#live,
      readEveryMs: this.#settings.readEveryMs,
      onError: this.#onError,
      onTurn: (id) => this.#index(id, feed, turnIds),
    });
    if (turnId !== null) this.#index(turnId, feed, turnIds);
    const open = { feed, streams: 0, turnIds };
    this.#feeds.set(source.key, open);
    return open;
  }

  /** Feeds by the turn that they read now. */
  #index(turnId: string, feed: Feed, turnIds: Set<string>): void {
    for (const old of turnIds) this.#unindex(old, feed);
    turnIds.clear();
    turnIds.add(turnId);
    this.#byTurn.set(turnId, (this.#byTurn.get(turnId) ?? new Set()).add(feed));
  }

  #unindex(turnId: string, feed: Feed): void {
    const feeds = this.#byTurn.get(turnId);
    feeds?.delete(feed);
    if (feeds?.size === 0) this.#byTurn.delete(turnId);
  }

  #removed(stream: EventStream, tenantId: string, open: OpenFeed): void {
    this.#streams.delete(stream);
    const left = (this.#byTenant.get(tenantId) ?? 1) - 1;
    if (left === 0) this.#byTenant.delete(tenantId);
    else this.#byTenant.set(tenantId, left);
    open.streams -= 1;
    if (open.streams === 0) setTimeout(() => this.#closeIfUnused(open), LINGER_MS).unref();
  }

  #closeIfUnused(open: OpenFeed): void {
    if (open.streams > 0 || this.#feeds.get(open.feed.source.key) !== open) return;
    this.#feeds.delete(open.feed.source.key);
    for (const turnId of open.turnIds) this.#unindex(turnId, open.feed);
    open.feed.close();
  }

  #beat(): void {
    const now = performance.now();
    for (const stream of this.#streams.keys()) stream.beat(now, this.#settings.heartbeatMs);
  }
}

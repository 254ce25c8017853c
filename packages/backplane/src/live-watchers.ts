import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { callEach } from './call-each.ts';
import { parseUpdate, type LiveUpdate } from './live.ts';

/** Where processes tell each other what they watch. */
const NOTICES = 'live-watchers';
/** Each process repeats what it watches after this time: for one that did not hear it. */
const RENEW_MS = 20_000;
/** Three repetitions may be lost. */
const WATCHED_MS = 70_000;
/** About 3 kB, of the 4 that a signal may have. */
const IDS_OF_SIGNAL = 85;
const MOST_SESSIONS = 50_000;

/** The signals of either driver. */
interface Signals {
  publish(channel: string, signal: Record<string, unknown>): Promise<void>;
  subscribe(
    channel: string,
    listener: (signal: Record<string, unknown>) => void,
  ): Promise<() => Promise<void>>;
  onReconnect(listener: () => void): () => void;
}

const noticeSchema = z.object({
  /** The process that it is from. */
  process: z.string(),
  /** Sessions that it watches. */
  watches: z.array(z.string()).optional(),
  /** What do you watch? */
  asks: z.literal(true).optional(),
});
type Notice = z.infer<typeof noticeSchema>;

const batchSchema = z.object({ updates: z.array(z.looseObject({ sessionId: z.string() })) });

/** One update, for those who watch its session. */
export interface SessionUpdate {
  sessionId: string;
  update: LiveUpdate;
}

export interface LiveWatchersParts {
  signals: Signals;
  /** A session is followed that was not: what was not sent of it is to be sent. */
  onWatched: (sessionId: string) => void;
  onError: (error: unknown) => void;
}

/**
 * Which processes have clients that follow which session. Processes tell each other when a client begins to follow
 * one, and repeat it. So nothing is sent of a session that nobody follows, and what is sent goes to the processes that
 * want it, many updates in one message.
 */
export class LiveWatchers {
  readonly #parts: LiveWatchersParts;
  readonly #process = randomUUID();
  /** The listeners of this process, by session. */
  readonly #listeners = new Map<string, Set<(update: LiveUpdate) => void>>();
  /** By session: until when each process watches it. The session that was heard of longest ago is the first. */
  readonly #watching = new Map<string, Map<string, number>>();
  readonly #timer: NodeJS.Timeout;
  readonly #listening: Promise<void>;
  #closed = false;

  constructor(parts: LiveWatchersParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#tell([...this.#listeners.keys()]), RENEW_MS).unref();
    parts.signals.onReconnect(() => this.#ask());
    this.#listening = this.#listen();
  }

  /** Calls `listener` with the updates of a session, until the returned function is called. */
  async watch(sessionId: string, listener: (update: LiveUpdate) => void): Promise<() => Promise<void>> {
    const listeners = this.#listeners.get(sessionId) ?? new Set();
    this.#listeners.set(sessionId, listeners.add(listener));
    // What is sent in response must be received.
    await this.#listening;
    this.touch(sessionId);
    return async () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(sessionId) === listeners)
        this.#listeners.delete(sessionId);
    };
  }

  /** A client follows a session, or looks at it and may look again. */
  touch(sessionId: string): void {
    this.#tell([sessionId]);
  }

  isWatched(sessionId: string): boolean {
    const processes = this.#watching.get(sessionId);
    if (processes === undefined) return false;
    const now = performance.now();
    for (const until of processes.values()) if (until > now) return true;
    return false;
  }

  /** What is to be sent, by the channel of each process that wants it. */
  byChannel(updates: readonly SessionUpdate[]): Map<string, { updates: object[] }> {
    const channels = new Map<string, { updates: object[] }>();
    for (const { sessionId, update } of updates) {
      for (const process of this.#processesOf(sessionId)) {
        const channel = channelOf(process);
        const batch = channels.get(channel) ?? { updates: [] };
        batch.updates.push({ sessionId, ...update });
        channels.set(channel, batch);
      }
    }
    return channels;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  #processesOf(sessionId: string): string[] {
    const processes = this.#watching.get(sessionId);
    if (processes === undefined) return [];
    const now = performance.now();
    return [...processes].filter(([, until]) => until > now).map(([process]) => process);
  }

  async #listen(): Promise<void> {
    const { signals, onError } = this.#parts;
    try {
      await Promise.all([
        signals.subscribe(NOTICES, (signal) => this.#hearNotice(signal)),
        signals.subscribe(channelOf(this.#process), (signal) => this.#hearUpdates(signal)),
      ]);
    } catch (error) {
      onError(error);
    }
    this.#ask();
  }

  #hearUpdates(signal: Record<string, unknown>): void {
    const { updates = [] } = batchSchema.safeParse(signal).data ?? {};
    for (const { sessionId, ...value } of updates) {
      const listeners = this.#listeners.get(sessionId);
      const update = listeners === undefined ? null : parseUpdate(value);
      if (listeners !== undefined && update !== null) callEach(listeners, update, this.#parts.onError);
    }
  }

  #hearNotice(signal: Record<string, unknown>): void {
    const notice = noticeSchema.safeParse(signal).data;
    if (notice === undefined || this.#closed) return;
    if (notice.asks === true) this.#tell([...this.#listeners.keys()]);
    for (const sessionId of notice.watches ?? []) this.#heardOf(sessionId, notice.process);
  }

  #heardOf(sessionId: string, process: string): void {
    const now = performance.now();
    const wasWatched = this.isWatched(sessionId);
    const processes = this.#watching.get(sessionId) ?? new Map<string, number>();
    processes.set(process, now + WATCHED_MS);
    this.#watching.delete(sessionId);
    this.#watching.set(sessionId, processes);
    this.#removeOld(now);
    if (!wasWatched) this.#parts.onWatched(sessionId);
  }

  #removeOld(now: number): void {
    for (const [oldest, processes] of this.#watching) {
      for (const [process, until] of processes) if (until <= now) processes.delete(process);
      if (processes.size > 0 && this.#watching.size <= MOST_SESSIONS) return;
      this.#watching.delete(oldest);
    }
  }

  /** What was told before may have been missed, in both directions. */
  #ask(): void {
    this.#publish({ process: this.#process, asks: true });
    this.#tell([...this.#listeners.keys()]);
  }

  #tell(sessionIds: readonly string[]): void {
    for (let start = 0; start < sessionIds.length; start += IDS_OF_SIGNAL) {
      this.#publish({ process: this.#process, watches: sessionIds.slice(start, start + IDS_OF_SIGNAL) });
    }
  }

  #publish(notice: Notice): void {
    if (this.#closed) return;
    this.#parts.signals.publish(NOTICES, notice).catch((error: unknown) => {
      // It is repeated; until then the client reads in intervals.
      if (!this.#closed) this.#parts.onError(error);
    });
  }
}

/** Where a process receives the updates of the sessions that it watches. */
function channelOf(process: string): string {
  return `live-${process}`;
}

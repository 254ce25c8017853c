import { setTimeout as delay } from 'node:timers/promises';
import type { LiveFact, LivePreview, LiveProgress, LiveUpdate } from './live.ts';

/** One message for the watchers of a session. */
export interface LiveMessage {
  sessionId: string;
  update: LiveUpdate;
}

/** Sends all messages in one round trip; resolves with the number of receivers of each. */
export type SendLive = (messages: readonly LiveMessage[]) => Promise<readonly number[]>;

export interface LivePace {
  /** The most messages in one round trip. */
  batch: number;
  /** The pause after a round trip, for each of its messages, so that pieces grow with the load. Milliseconds. */
  pausePerMessageMs: number;
  leastPauseMs: number;
  mostPauseMs: number;
}

/** Text without a watcher is only kept for clients that connect later, so it is sent this seldom. */
const UNREAD_EVERY_MS = 250;
const LONGEST_PIECE = 16_384;
/** Of one step. The rest of a longer text comes only with the committed step. */
const LONGEST_TEXT = 262_144;
/** The most turns with something to send. */
const MOST_TURNS = 20_000;
/** Tool calls of one turn whose progress is sent at once. */
const MOST_CALLS = 128;
const AFTER_FAILURE_MS = 1_000;
/** A change that was not sent is, if a client begins to watch within this time: it may have read just before it. */
const RECENT_MS = 10_000;
const MOST_RECENT = 20_000;

interface Text {
  stepIndex: number;
  attempt: number;
  /** Sent pieces: after a failure the text is sent again from its start. */
  sent: string[];
  sentLength: number;
  pending: string;
  /** The text is too long, and no more of it is sent: a gap in the text would be worse. */
  isFull: boolean;
}

interface Entry {
  sessionId: string;
  turnId: string;
  /** Undefined where there are no new events to announce. */
  eventCount: number | null | undefined;
  text: Text | null;
  /** What each tool call showed last, and has not been sent. */
  progress: Map<string, string | number>;
  /** Text and progress are not sent before this time. */
  notBefore: number;
}

interface Sending {
  entry: Entry;
  /** The text of the message's piece. */
  text: Text | null;
  message: LiveMessage;
}

/**
 * Gathers updates of turns and sends them in batches, one after another: an idle process sends each piece at once, a
 * busy one joins the pieces that come while it sends.
 */
export class LiveSender {
  readonly #send: SendLive;
  readonly #pace: LivePace;
  readonly #onError: (error: unknown) => void;
  readonly #isWatched: (sessionId: string) => boolean;
  /** The last change of each session that was not watched, oldest first. */
  readonly #recent = new Map<string, { fact: LiveFact; at: number }>();
  readonly #entries = new Map<string, Entry>();
  /** Entries with something to send. */
  readonly #due = new Set<Entry>();
  #running = false;
  #wake: () => void = () => undefined;
  #closed = false;

  /** `isWatched`: of a session. Nothing is sent of the others. Default: all are. */
  constructor(
    send: SendLive,
    pace: LivePace,
    onError: (error: unknown) => void,
    isWatched: (sessionId: string) => boolean = () => true,
  ) {
    this.#send = send;
    this.#pace = pace;
    this.#onError = onError;
    this.#isWatched = isWatched;
  }

  changed(fact: LiveFact): void {
    const { sessionId, turnId, eventCount } = fact;
    const isWatched = this.#isWatched(sessionId);
    if (!isWatched) this.#remember(fact);
    const entry = isWatched ? this.#entryOf(sessionId, turnId) : this.#entries.get(turnId);
    if (entry == null) return;
    // New events after a text's attempt began mean that the step has ended, and its text with it.
    if (eventCount !== null && entry.text !== null && eventCount > entry.text.attempt) entry.text = null;
    if (isWatched) {
      entry.eventCount = eventCount;
      this.#schedule(entry);
    } else if (entry.text === null && entry.eventCount === undefined) this.#drop(entry);
  }

  /** A session is watched now that was not: what it missed is sent, text from its start. */
  watched(sessionId: string): void {
    const recent = this.#recent.get(sessionId);
    this.#recent.delete(sessionId);
    if (recent !== undefined) this.changed(recent.fact);
    for (const entry of this.#entries.values()) {
      if (entry.sessionId !== sessionId || entry.text === null) continue;
      entry.notBefore = 0;
      this.#restart(entry.text);
      this.#schedule(entry);
    }
  }

  show({ sessionId, turnId, stepIndex, attempt, text }: LivePreview): void {
    const entry = this.#entryOf(sessionId, turnId);
    if (entry === null) return;
    if (entry.text?.attempt !== attempt) {
      if (entry.text !== null && entry.text.attempt > attempt) return;
      entry.text = { stepIndex, attempt, sent: [], sentLength: 0, pending: '', isFull: false };
    }
    entry.text.isFull ||= entry.text.sentLength + entry.text.pending.length + text.length > LONGEST_TEXT;
    if (entry.text.isFull) return;
    entry.text.pending += text;
    if (this.#isWatched(sessionId)) this.#schedule(entry);
  }

  showProgress({ sessionId, turnId, toolCallId, progress }: LiveProgress): void {
    const entry = this.#entryOf(sessionId, turnId);
    if (entry === null || entry.progress.size >= MOST_CALLS) return;
    entry.progress.set(toolCallId, progress);
    this.#schedule(entry);
  }

  endPreview(turnId: string): void {
    const entry = this.#entries.get(turnId);
    if (entry === undefined) return;
    entry.text = null;
    entry.progress.clear();
    if (entry.eventCount === undefined) this.#drop(entry);
  }

  /** Drops what is not sent yet. */
  close(): void {
    this.#closed = true;
    this.#entries.clear();
    this.#recent.clear();
    this.#due.clear();
    this.#wake();
  }

  #remember(fact: LiveFact): void {
    const now = performance.now();
    // Again at the end.
    this.#recent.delete(fact.sessionId);
    this.#recent.set(fact.sessionId, { fact, at: now });
    for (const [oldest, { at }] of this.#recent) {
      if (now - at < RECENT_MS && this.#recent.size <= MOST_RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  #entryOf(sessionId: string, turnId: string): Entry | null {
    const known = this.#entries.get(turnId);
    if (known !== undefined) return known;
    if (this.#closed || this.#entries.size >= MOST_TURNS) return null;
    const entry: Entry = {
      sessionId,
      turnId,
      eventCount: undefined,
      text: null,
      progress: new Map(),
      notBefore: 0,
    };
    this.#entries.set(turnId, entry);
    return entry;
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.turnId);
    this.#due.delete(entry);
  }

  #schedule(entry: Entry): void {
    this.#due.add(entry);
    if (this.#running) {
      if (entry.eventCount !== undefined || entry.notBefore <= performance.now()) this.#wake();
      return;
    }
    this.#running = true;
    // After one turn of the event loop, so that updates made together are sent together.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#due.size > 0 && !this.#closed) {
      const now = performance.now();
      const batch = this.#nextBatch(now);
      if (batch.length === 0) await this.#untilSoonest(now);
      else await this.#sendBatch(batch);
    }
    this.#running = false;
  }

  /** Waits until the first entry may be sent; ends early for a new one that may be sent at once. */
  async #untilSoonest(now: number): Promise<void> {
    let soonest = now + UNREAD_EVERY_MS;
    for (const entry of this.#due) soonest = Math.min(soonest, entry.notBefore);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, soonest - now));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => undefined;
  }

  #nextBatch(now: number): Sending[] {
    const batch: Sending[] = [];
    const left: Entry[] = [];
    for (const entry of this.#due) {
      if (batch.length >= this.#pace.batch) break;
      const text = entry.text !== null && entry.text.pending !== '' ? entry.text : null;
      const showsText = text !== null && entry.notBefore <= now;
      const [progress] = entry.notBefore <= now ? entry.progress : [];
      if (entry.eventCount === undefined && !showsText && progress === undefined) {
        if (text === null && entry.progress.size === 0) this.#due.delete(entry);
        continue;
      }
      const update: LiveUpdate = { turnId: entry.turnId };
      if (entry.eventCount !== undefined) update.eventCount = entry.eventCount;
      if (showsText) update.text = takePiece(text);
      if (progress !== undefined) {
        update.progress = { toolCallId: progress[0], progress: progress[1] };
        entry.progress.delete(progress[0]);
      }
      entry.eventCount = undefined;
      // At most one message for each turn in a batch. A turn with more to send goes to the end of the queue.
      this.#due.delete(entry);
      const hasMore = entry.progress.size > 0 || (entry.text !== null && entry.text.pending !== '');
      if (hasMore) left.push(entry);
      else if (entry.text === null) this.#entries.delete(entry.turnId);
      batch.push({ entry, text: showsText ? text : null, message: { sessionId: entry.sessionId, update } });
    }
    for (const entry of left) this.#due.add(entry);
    return batch;
  }

  async #sendBatch(batch: readonly Sending[]): Promise<void> {
    const { pausePerMessageMs, leastPauseMs, mostPauseMs } = this.#pace;
    try {
      const heard = await this.#send(batch.map(({ message }) => message));
      const later = performance.now() + UNREAD_EVERY_MS;
      for (const [index, { entry }] of batch.entries()) entry.notBefore = heard[index] === 0 ? later : 0;
      const pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, batch.length * pausePerMessageMs));
      if (pauseMs >= 1) await delay(pauseMs);
    } catch (error) {
      this.#onError(error);
      // Watchers read new events when the server is back; a text is sent again from its start.
      for (const { entry, text } of batch) this.#resend(entry, text);
      await delay(AFTER_FAILURE_MS * (0.5 + Math.random()));
    }
  }

  #resend(entry: Entry, text: Text | null): void {
    if (text === null || entry.text !== text) return;
    this.#restart(text);
    this.#due.add(entry);
  }

  #restart(text: Text): void {
    text.pending = text.sent.join('') + text.pending;
    text.sent = [];
    text.sentLength = 0;
  }
}

function takePiece(text: Text): NonNullable<LiveUpdate['text']> {
  const { stepIndex, attempt, sentLength: offset, pending } = text;
  const piece = pending.slice(0, endOfPiece(pending));
  text.pending = pending.slice(piece.length);
  text.sent.push(piece);
  text.sentLength += piece.length;
  return { stepIndex, attempt, offset, text: piece };
}

/** Never between the halves of a surrogate pair: not every JSON parser joins them again. */
function endOfPiece(text: string): number {
  if (text.length <= LONGEST_PIECE) return text.length;
  const isHalf = (text.codePointAt(LONGEST_PIECE - 1) ?? 0) > 0xffff;
  return isHalf ? LONGEST_PIECE - 1 : LONGEST_PIECE;
}

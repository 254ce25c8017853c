import { setTimeout as delay } from 'node:timers/promises';
import type { LiveFact, LiveUpdate, LivePreview } from './live.ts';

/** One message on its way to those who watch a session. */
export interface LiveMessage {
  sessionId: string;
  news: LiveUpdate;
}

/** Sends all of these in one round trip; says how many heard each. */
export type SendLive = (messages: readonly LiveMessage[]) => Promise<readonly number[]>;

export interface LivePace {
  /** Messages in one round trip. */
  batch: number;
  /** The pause after each round trip, in milliseconds for each message of it, so that load makes larger pieces. */
  pausePerMessageMs: number;
  leastPauseMs: number;
  mostPauseMs: number;
}

/** Text that nobody watches is only kept, for whoever comes: so often is enough. */
const UNREAD_EVERY_MS = 250;
const LONGEST_PIECE = 16_384;
/** Of one step. What is longer is not shown on its way; it comes with the step. */
const LONGEST_TEXT = 262_144;
/** Turns with something to be sent. */
const MOST_TURNS = 20_000;
const AFTER_FAILURE_MS = 1_000;

interface Text {
  stepIndex: number;
  attempt: number;
  /** What left, so that it can be sent again from the start where it was lost. */
  sent: string[];
  sentLength: number;
  pending: string;
  /** Nothing more is shown of it: a text with a hole would be worse. */
  isFull: boolean;
}

interface Entry {
  sessionId: string;
  turnId: string;
  /** Undefined where there are no new ones. */
  eventCount: number | null | undefined;
  text: Text | null;
  /** Text is not sent before this time. */
  notBefore: number;
}

interface Sending {
  entry: Entry;
  /** The text that a piece of is in the message. */
  text: Text | null;
  message: LiveMessage;
}

/**
 * Gathers what is to be told of turns, and sends it a batch at a time, one after another: an idle
 * process sends every piece at once, a busy one joins those that come while it sends.
 */
export class LiveSender {
  readonly #send: SendLive;
  readonly #pace: LivePace;
  readonly #onError: (error: unknown) => void;
  readonly #entries = new Map<string, Entry>();
  /** Those with something to send. */
  readonly #due = new Set<Entry>();
  #running = false;
  #wake: () => void = () => undefined;
  #closed = false;

  constructor(send: SendLive, pace: LivePace, onError: (error: unknown) => void) {
    this.#send = send;
    this.#pace = pace;
    this.#onError = onError;
  }

  changed({ sessionId, turnId, eventCount }: LiveFact): void {
    const entry = this.#entryOf(sessionId, turnId);
    if (entry === null) return;
    entry.eventCount = eventCount;
    // A text lies between two facts: with the next one it is over.
    if (eventCount !== null && entry.text !== null && eventCount > entry.text.attempt) entry.text = null;
    this.#note(entry);
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
    this.#note(entry);
  }

  forget(turnId: string): void {
    const entry = this.#entries.get(turnId);
    if (entry === undefined) return;
    entry.text = null;
    if (entry.eventCount === undefined) this.#drop(entry);
  }

  /** What was not sent by then is dropped. */
  close(): void {
    this.#closed = true;
    this.#entries.clear();
    this.#due.clear();
    this.#wake();
  }

  #entryOf(sessionId: string, turnId: string): Entry | null {
    const known = this.#entries.get(turnId);
    if (known !== undefined) return known;
    if (this.#closed || this.#entries.size >= MOST_TURNS) return null;
    const entry: Entry = { sessionId, turnId, eventCount: undefined, text: null, notBefore: 0 };
    this.#entries.set(turnId, entry);
    return entry;
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.turnId);
    this.#due.delete(entry);
  }

  #note(entry: Entry): void {
    this.#due.add(entry);
    if (this.#running) {
      if (entry.eventCount !== undefined || entry.notBefore <= performance.now()) this.#wake();
      return;
    }
    this.#running = true;
    // One turn of the event loop, so that what comes together leaves together.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#due.size > 0 && !this.#closed) {
      const now = performance.now();
      const batch = this.#take(now);
      if (batch.length === 0) await this.#untilSoonest(now);
      else await this.#sendBatch(batch);
    }
    this.#running = false;
  }

  /** All that is left may not leave yet. Ends early for something that may. */
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

  #take(now: number): Sending[] {
    const batch: Sending[] = [];
    const left: Entry[] = [];
    for (const entry of this.#due) {
      if (batch.length >= this.#pace.batch) break;
      const text = entry.text !== null && entry.text.pending !== '' ? entry.text : null;
      const showsText = text !== null && entry.notBefore <= now;
      if (entry.eventCount === undefined && !showsText) {
        if (text === null) this.#due.delete(entry);
        continue;
      }
      const news: LiveUpdate = { turnId: entry.turnId };
      if (entry.eventCount !== undefined) news.eventCount = entry.eventCount;
      if (showsText) news.text = takePiece(text);
      entry.eventCount = undefined;
      // One message of a turn in a batch; what is left comes last the next time, so that nobody is passed over.
      this.#due.delete(entry);
      if (entry.text === null) this.#entries.delete(entry.turnId);
      else if (entry.text.pending !== '') left.push(entry);
      batch.push({ entry, text: showsText ? text : null, message: { sessionId: entry.sessionId, news } });
    }
    for (const entry of left) this.#due.add(entry);
    return batch;
  }

  async #sendBatch(batch: readonly Sending[]): Promise<void> {
    const { pausePerMessageMs, leastPauseMs, mostPauseMs } = this.#pace;
    try {
      const heard = await this.#send(batch.map(({ message }) => message));
      const later = performance.now() + UNREAD_EVERY_MS;
      for (const [place, { entry }] of batch.entries()) entry.notBefore = heard[place] === 0 ? later : 0;
      const pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, batch.length * pausePerMessageMs));
      if (pauseMs >= 1) await delay(pauseMs);
    } catch (error) {
      this.#onError(error);
      // Facts are found by those who look when the server is back; a text is sent anew, from its start.
      for (const { entry, text } of batch) this.#takeBack(entry, text);
      await delay(AFTER_FAILURE_MS * (0.5 + Math.random()));
    }
  }

  #takeBack(entry: Entry, text: Text | null): void {
    if (text === null || entry.text !== text) return;
    text.pending = text.sent.join('') + text.pending;
    text.sent = [];
    text.sentLength = 0;
    this.#due.add(entry);
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

/** Not between the halves of a surrogate pair: not every language's JSON joins them again. */
function endOfPiece(text: string): number {
  if (text.length <= LONGEST_PIECE) return text.length;
  const isHalf = (text.codePointAt(LONGEST_PIECE - 1) ?? 0) > 0xffff;
  return isHalf ? LONGEST_PIECE - 1 : LONGEST_PIECE;
}

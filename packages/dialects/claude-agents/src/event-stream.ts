import type { TurnFact } from '@turnpike/contract';
import { encodeFrame, type StreamEncoder, type TextPreview } from '@turnpike/dialect-base';
import type { TurnContexts } from './turn-context.ts';
import { TurnEvents } from './turn-events.ts';

/** The last event that a client has: of which turn, of which fact, and which of that fact's events. */
export interface LastSeen {
  turnId: string;
  sequenceNumber: number;
  index: number;
}

/** The events of a session as they happen, those after the last one that its client has. */
export class EventStreamEncoder implements StreamEncoder {
  readonly ended = false;
  readonly #contexts: TurnContexts;
  readonly #lastSeen: LastSeen | null;
  readonly #showsText: boolean;
  #turn: { id: string; events: TurnEvents } | null = null;
  /** The message whose text is shown while it is written, and how much of it was. */
  #shown = { id: '', length: 0 };
  #isBehind = false;

  constructor(contexts: TurnContexts, lastSeen: LastSeen | null, showsText: boolean) {
    this.#contexts = contexts;
    this.#lastSeen = lastSeen;
    this.#showsText = showsText;
  }

  prepare(facts: readonly TurnFact[]): Promise<void> {
    return this.#contexts.read(facts);
  }

  begin(): string {
    return '';
  }

  fact(fact: TurnFact): string {
    const { turn_id: turnId } = fact;
    if (this.#turn?.id !== turnId) {
      if (this.#turn !== null) this.#contexts.drop(this.#turn.id);
      this.#turn = { id: turnId, events: new TurnEvents(this.#contexts.of(turnId)) };
    }
    const seen = this.#seenOf(fact);
    return this.#turn.events
      .take(fact)
      .slice(seen)
      .map((event) => encodeFrame(event.type, event, event.id))
      .join('');
  }

  /** How many of the events of a fact the client has. */
  #seenOf({ turn_id: turnId, sequence_number: sequenceNumber }: TurnFact): number {
    const last = this.#lastSeen;
    this.#isBehind = last !== null && turnId === last.turnId && sequenceNumber < last.sequenceNumber;
    if (this.#isBehind) return Infinity;
    const isLast = last?.turnId === turnId && sequenceNumber === last.sequenceNumber;
    return isLast ? last.index + 1 : 0;
  }

  preview({ text }: TextPreview): string {
    if (!this.#showsText || this.#isBehind || this.#turn === null) return '';
    const id = this.#turn.events.messageId;
    const isNew = id !== this.#shown.id;
    const from = isNew ? 0 : this.#shown.length;
    if (text.length <= from) return '';
    this.#shown = { id, length: text.length };
    const start = { type: 'event_start', event: { id, type: 'agent.message' } };
    const content = { type: 'text', text: text.slice(from) };
    const delta = { type: 'event_delta', event_id: id, delta: { type: 'content_delta', index: 0, content } };
    return (isNew ? encodeFrame(start.type, start) : '') + encodeFrame(delta.type, delta);
  }
}

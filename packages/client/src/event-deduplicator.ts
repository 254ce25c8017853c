import type { MessageDelta, TurnEvent, TurnFact } from './wire/contract.ts';
import type { EventSourceMessage } from 'eventsource-parser';
import { TurnpikeConnectionError } from './errors.ts';
import { isFields } from './read-problem.ts';

/** Passes each stored event on once and in order, and each character of text once, over any number of connections. */
export class EventDeduplicator {
  /** The cursor of the last stored event that was passed on: where to continue. */
  cursor: string | undefined;
  #turnId: string | undefined;
  /** The sequence number of the last stored event; undefined if it is not known. */
  #number: number | undefined;
  #preview = { turnId: '', attempt: -1, length: 0 };

  /** `number`: the sequence number of the cursor's event, if it is known. */
  constructor(cursor: string | undefined, number?: number) {
    this.cursor = cursor;
    this.#number = number;
  }

  /**
   * Returns the event, without text that was passed on before; null for a duplicate, or for data that is not an event.
   * Throws `TurnpikeConnectionError` if an earlier event is missing: a new connection from the cursor receives it.
   */
  accept({ data, id }: EventSourceMessage): TurnEvent | null {
    const event = parseEvent(data);
    if (event === null) return null;
    // Nothing follows from one that is missing or comes twice.
    if (event.type === 'tool.progress') return event;
    return event.type === 'message.delta' ? this.#acceptDelta(event) : this.#acceptFact(event, id);
  }

  #acceptFact(fact: TurnFact, id: string | undefined): TurnFact | null {
    const { turn_id: turnId, sequence_number: number } = fact;
    const known = this.#turnId === undefined || this.#turnId === turnId ? this.#number : undefined;
    if (known !== undefined) {
      if (number <= known) return null;
      if (number > known + 1)
        throw new TurnpikeConnectionError(`Event ${known + 1} of ${turnId} is missing.`);
    }
    this.#turnId = turnId;
    this.#number = number;
    this.cursor = id ?? this.cursor;
    return fact;
  }

  #acceptDelta(delta: MessageDelta): MessageDelta | null {
    const { turn_id: turnId, attempt, offset, text } = delta;
    // It belongs to an attempt that was restarted, or to a completed step.
    if (this.#turnId === turnId && this.#number !== undefined && attempt < this.#number) return null;
    if (this.#preview.turnId !== turnId || this.#preview.attempt !== attempt) {
      this.#preview = { turnId, attempt, length: 0 };
    }
    const { length } = this.#preview;
    if (offset > length || offset + text.length <= length) return null;
    this.#preview.length = offset + text.length;
    return { ...delta, offset: length, text: text.slice(length - offset) };
  }
}

function parseEvent(json: string): TurnEvent | null {
  let event: unknown;
  try {
    event = JSON.parse(json);
  } catch (error) {
    throw new TurnpikeConnectionError('An event is not JSON.', error);
  }
  if (!isFields(event) || typeof event['turn_id'] !== 'string') return null;
  const isDelta =
    event['type'] === 'message.delta' && typeof event['text'] === 'string' && isCount(event['offset']);
  // Stored events of types that are newer than this client are passed on as well: they have a sequence number.
  const isFact = typeof event['type'] === 'string' && isCount(event['sequence_number']);
  const isProgress = event['type'] === 'tool.progress' && typeof event['tool_call_id'] === 'string';
  return isDelta || isFact || isProgress ? (event as unknown as TurnEvent) : null;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

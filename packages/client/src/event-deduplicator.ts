import type { MessageDelta, TurnEvent, TurnFact } from './wire/contract.ts';
import type { EventSourceMessage } from 'eventsource-parser';
import { TurnpikeConnectionError } from './errors.ts';
import { isFields } from './read-problem.ts';

/** Lets each fact through once and in order, and each piece of text once, over any number of connections. */
export class EventDeduplicator {
  /** Where to go on: of the last fact that went through. */
  cursor: string | undefined;
  #turnId: string | undefined;
  /** The number of the last fact; undefined where nothing is known of it. */
  #number: number | undefined;
  #shown = { turnId: '', attempt: -1, length: 0 };

  /** `number`: of the fact that the cursor names, where that can be told. */
  constructor(cursor: string | undefined, number?: number) {
    this.cursor = cursor;
    this.#number = number;
  }

  /**
   * The event as it is to be told, null where it was told before or is of no kind that has a place here.
   * Throws `TurnpikeConnectionError` where one before it is missing: asked for again from the cursor, it comes.
   */
  take({ data, id }: EventSourceMessage): TurnEvent | null {
    const event = parseEvent(data);
    if (event === null) return null;
    return event.type === 'message.delta' ? this.#takePiece(event) : this.#takeFact(event, id);
  }

  #takeFact(fact: TurnFact, id: string | undefined): TurnFact | null {
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

  #takePiece(piece: MessageDelta): MessageDelta | null {
    const { turn_id: turnId, attempt, offset, text } = piece;
    // It belongs to a try that was begun anew, or to a step that is complete.
    if (this.#turnId === turnId && this.#number !== undefined && attempt < this.#number) return null;
    if (this.#shown.turnId !== turnId || this.#shown.attempt !== attempt) {
      this.#shown = { turnId, attempt, length: 0 };
    }
    const { length } = this.#shown;
    if (offset > length || offset + text.length <= length) return null;
    this.#shown.length = offset + text.length;
    return { ...piece, offset: length, text: text.slice(length - offset) };
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
  const isPiece =
    event['type'] === 'message.delta' && typeof event['text'] === 'string' && isCount(event['offset']);
  // Facts of kinds that came later than this client are told, too: they count.
  const isFact = typeof event['type'] === 'string' && isCount(event['sequence_number']);
  return isPiece || isFact ? (event as unknown as TurnEvent) : null;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

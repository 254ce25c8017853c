import type { LiveText } from '@turnpike/backplane';
import type { MessageDelta } from '@turnpike/contract';
import { encodeFrame } from '@turnpike/dialect-base';

/**
 * The text of the current step so far, kept once for all readers, so that one that joins late or reads slowly gets in
 * one piece what the others got in many.
 */
export class FeedText {
  #turnId = '';
  #stepIndex = 0;
  #attempt = -1;
  #text = '';
  #last: { offset: number; frame: string } = { offset: -1, frame: '' };

  get turnId(): string {
    return this.#turnId;
  }

  /** The number of the newest event when this text began: a reader that has exactly that event may be sent the text. */
  get attempt(): number {
    return this.#attempt;
  }

  get stepIndex(): number {
    return this.#stepIndex;
  }

  get text(): string {
    return this.#text;
  }

  get length(): number {
    return this.#text.length;
  }

  /** Appends a piece; false where a piece before it is missing. Pieces may be repeated or late. */
  take(turnId: string, piece: LiveText): boolean {
    const isSame = turnId === this.#turnId && piece.attempt === this.#attempt;
    if (!isSame) {
      if (turnId === this.#turnId && piece.attempt < this.#attempt) return true;
      if (piece.offset > 0) return false;
      this.#turnId = turnId;
      this.#attempt = piece.attempt;
      this.#stepIndex = piece.stepIndex;
      this.#text = '';
    }
    const { length } = this.#text;
    if (piece.offset > length) return false;
    if (piece.offset + piece.text.length <= length) return true;
    const added = piece.text.slice(length - piece.offset);
    this.#text += added;
    this.#last = { offset: length, frame: this.#encode(length, added) };
    return true;
  }

  /** The text from `offset` on, in one frame. */
  frameFrom(offset: number): string {
    if (offset === this.#last.offset) return this.#last.frame;
    return this.#encode(offset, this.#text.slice(offset));
  }

  #encode(offset: number, text: string): string {
    const delta: MessageDelta = {
      type: 'message.delta',
      turn_id: this.#turnId,
      step_index: this.#stepIndex,
      attempt: this.#attempt,
      offset,
      text,
    };
    return encodeFrame(delta.type, delta);
  }
}

import { isFinal, type TurnFact, type TurnStatus } from '@turnpike/contract';
import { encodeFrame } from '@turnpike/dialect-base';
import type { PositionedFact } from '@turnpike/store';
import type { FeedText } from './feed-text.ts';
import type { StreamFrames } from './stream-frames.ts';

/** The frames of Turnpike's own streams: each event as it is stored, with its cursor, and pieces of text in between. */
export class NativeFrames implements StreamFrames {
  readonly #cursorOf: (position: PositionedFact['position']) => string;
  readonly #endsWithTurn: boolean;
  /** The text that pieces were sent of, and how much of it was sent. */
  #shown = { turnId: '', attempt: -1, length: 0 };
  ended = false;

  constructor(
    cursorOf: (position: PositionedFact['position']) => string,
    { endsWithTurn }: { endsWithTurn: boolean },
  ) {
    this.#cursorOf = cursorOf;
    this.#endsWithTurn = endsWithTurn;
  }

  begin(): string {
    return '';
  }

  fact({ fact, position }: PositionedFact): string {
    if (this.#endsWithTurn && isEnd(fact)) this.ended = true;
    return encodeFrame(fact.type, fact, this.#cursorOf(position));
  }

  text(text: FeedText): string {
    if (this.#shown.turnId !== text.turnId || this.#shown.attempt !== text.attempt) {
      this.#shown = { turnId: text.turnId, attempt: text.attempt, length: 0 };
    }
    const { length } = this.#shown;
    if (length >= text.length) return '';
    this.#shown.length = text.length;
    return text.frameFrom(length);
  }

  progress(frame: string): string {
    return frame;
  }
}

function isEnd({ type }: TurnFact): boolean {
  return type.startsWith('turn.') && isFinal(type.slice('turn.'.length) as TurnStatus);
}

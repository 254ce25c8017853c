import type { StreamEncoder } from '@turnpike/dialect-base';
import type { PositionedFact } from '@turnpike/store';
import type { FeedText } from './feed-text.ts';
import type { StreamFrames } from './stream-frames.ts';

/** The frames of a dialect's streams. */
export class DialectFrames implements StreamFrames {
  readonly #encoder: StreamEncoder;

  constructor(encoder: StreamEncoder) {
    this.#encoder = encoder;
  }

  get ended(): boolean {
    return this.#encoder.ended;
  }

  get cutsUnfinished(): boolean {
    return this.#encoder.cutsUnfinished ?? false;
  }

  begin(): string {
    return this.#encoder.begin();
  }

  fact({ fact }: PositionedFact): string {
    return this.#encoder.fact(fact);
  }

  text({ stepIndex, attempt, text }: FeedText): string {
    return this.#encoder.preview({ stepIndex, attempt, text });
  }

  progress(): string {
    return '';
  }
}

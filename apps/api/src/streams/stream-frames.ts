import type { PositionedFact } from '@turnpike/store';
import type { FeedText } from './feed-text.ts';

/** What one stream sends of the events that it is given, as text; an empty text sends nothing. */
export interface StreamFrames {
  begin(): string;
  fact(fact: PositionedFact): string;
  /** The text after the last event that the stream was given. */
  text(text: FeedText): string;
  /** `frame`: how far a tool call is, as Turnpike's own streams say it. */
  progress(frame: string): string;
  /** True once the last frame was returned. */
  readonly ended: boolean;
  /** Whether a stream that must end before that is cut instead: its clients could not tell. */
  readonly cutsUnfinished?: boolean;
}

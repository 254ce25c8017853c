import type { TurnFact } from '@turnpike/contract';

/** The text of a step that the model is writing: all of it so far. */
export interface TextPreview {
  stepIndex: number;
  /** The sequence number of the event that began this attempt at the step. */
  attempt: number;
  text: string;
}

/**
 * Translates what happens to a turn for one stream. It is given every event of the turn in order, also those that the
 * client has, and returns the frames to send, as text; an empty text sends nothing. What it returns for an event must
 * depend on the events alone: then a stream that is read again, by any process, is the same stream.
 */
export interface StreamEncoder {
  /** Reads what it needs beside these events, which it is given next. It may be called again for the same ones. */
  prepare?(facts: readonly TurnFact[]): Promise<void>;
  /** What is sent first. */
  begin(): string;
  fact(fact: TurnFact): string;
  /**
   * Called with ever longer text, between the event that began its attempt and the next event. What is not committed
   * may be void: `fact` tells of the step as it was committed.
   */
  preview(preview: TextPreview): string;
  /** True once the last frame was returned: the stream ends. */
  readonly ended: boolean;
  /** Whether its clients take a stream that ends for one that has ended: then one that must end before is cut. */
  readonly cutsUnfinished?: boolean;
}

/** A turn whose events are sent by an encoder, from its first one on. */
export interface Follow {
  turnId: string;
  encoder: StreamEncoder;
}

/** A session whose events are sent by an encoder, turn after turn. Its stream has no end of its own. */
export interface FollowSession {
  sessionId: string;
  /** The sequence of the turn whose events the encoder is given first, from that turn's first one on. */
  fromTurn: number;
  encoder: StreamEncoder;
}

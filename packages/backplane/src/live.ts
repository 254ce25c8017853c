import { z } from 'zod';

/** A turn that has new events. `eventCount` is null where the caller does not know how many it has now. */
export interface LiveFact {
  sessionId: string;
  turnId: string;
  eventCount: number | null;
}

/** The next piece of a step's text, in the same attempt. */
export interface LivePreview {
  sessionId: string;
  turnId: string;
  stepIndex: number;
  /** Each new attempt at a step, by any worker, has a higher number. Text of an older attempt is no longer shown. */
  attempt: number;
  text: string;
}

/** How far a tool call of a turn is. */
export interface LiveProgress extends ToolProgress {
  sessionId: string;
  turnId: string;
}

/** What a watcher of a session receives: that a turn has new events, a piece of text, how far a tool call is. */
export interface LiveUpdate {
  turnId: string;
  /** Undefined where the update is only text. */
  eventCount?: number | null | undefined;
  text?: LiveText | undefined;
  progress?: ToolProgress | undefined;
}

/** How far a tool call is: a text, or a share from 0 to 1. */
export interface ToolProgress {
  toolCallId: string;
  progress: string | number;
}

export interface LiveText {
  stepIndex: number;
  attempt: number;
  /** Length of the attempt's text before this piece, in UTF-16 code units. */
  offset: number;
  text: string;
}

/**
 * Updates of running turns: previews, and notices that there are new events to read. Each may be lost, late or sent
 * twice, and no sender waits. Nothing is sent of a session that nobody watches.
 */
export interface Live {
  /** Says that a turn has new events. Never throws, never waits. */
  changed(fact: LiveFact): void;
  /** Sends a piece of text. Never throws, never waits: what cannot be sent now is joined to the next piece, up to a limit. */
  show(preview: LivePreview): void;
  /**
   * Sends how far a tool call is. Never throws, never waits: what cannot be sent now is replaced by what the call shows
   * next.
   */
  showProgress(progress: LiveProgress): void;
  /** Drops text and progress of the turn that is not sent yet. */
  endPreview(turnId: string): void;
  /** Like `subscribe` of the backplane, for one session. */
  watch(sessionId: string, listener: (update: LiveUpdate) => void): Promise<() => Promise<void>>;
  /**
   * The latest text of a session that is watched, oldest piece first; kept for minutes. Asking counts as watching for
   * a while. Throws `BackplaneUnavailableError`.
   */
  kept(sessionId: string): Promise<LiveUpdate[]>;
}

/** How long pieces are kept for clients that connect in the middle of a step. */
export const KEPT_MS = 5 * 60_000;

const updateSchema = z.object({
  turnId: z.string(),
  eventCount: z.int().nullable().optional(),
  text: z
    .object({
      stepIndex: z.int().nonnegative(),
      attempt: z.int().nonnegative(),
      offset: z.int().nonnegative(),
      text: z.string(),
    })
    .optional(),
  progress: z.object({ toolCallId: z.string(), progress: z.union([z.string(), z.number()]) }).optional(),
});

/** Null for a value that is not an update. */
export function parseUpdate(value: unknown): LiveUpdate | null {
  const parsed = updateSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

import { z } from 'zod';

/** A turn whose events have changed. `eventCount` is null where the caller does not know how many there are. */
export interface LiveFact {
  sessionId: string;
  turnId: string;
  eventCount: number | null;
}

/** A piece of a step's text, which comes after all that was shown of the same attempt. */
export interface LivePreview {
  sessionId: string;
  turnId: string;
  stepIndex: number;
  /** Rises with every new try at a step, whoever makes it; of an older one nothing is shown any more. */
  attempt: number;
  text: string;
}

/** What a watcher of a session hears: that a turn has events, a piece of text, or both. */
export interface LiveUpdate {
  turnId: string;
  /** Undefined where it brings text alone. */
  eventCount?: number | null | undefined;
  text?: LiveText | undefined;
}

export interface LiveText {
  stepIndex: number;
  attempt: number;
  /** Length of the attempt's text before this piece, in UTF-16 code units. */
  offset: number;
  text: string;
}

/**
 * What is told of running turns while they run: previews, and that there are facts to be read. All of
 * it may be lost, come twice or late, and whoever tells never waits.
 */
export interface Live {
  /** Never throws, never waits. */
  changed(fact: LiveFact): void;
  /** Never throws, never waits: what cannot be sent now is joined to what comes next, within bounds. */
  show(preview: LivePreview): void;
  /** Nothing more is shown of the turn. */
  forget(turnId: string): void;
  /** As `subscribe` of the backplane, for one session. */
  watch(sessionId: string, listener: (news: LiveUpdate) => void): Promise<() => Promise<void>>;
  /** What was shown last of a session, oldest piece first; kept for minutes. Throws `BackplaneUnavailableError`. */
  kept(sessionId: string): Promise<LiveUpdate[]>;
}

/** How long pieces are kept for those who come in the middle of a step. */
export const KEPT_MS = 5 * 60_000;

export const channelOf = (sessionId: string): string => `live-${sessionId}`;

const newsSchema = z.object({
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
});

/** Null for what is no news. */
export function parseUpdate(value: unknown): LiveUpdate | null {
  const parsed = newsSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/** The signals of either driver. */
interface Signals {
  subscribe(
    channel: string,
    listener: (signal: Record<string, unknown>) => void,
  ): Promise<() => Promise<void>>;
}

/** Hands the news of one session on, and nothing else that its channel carries. */
export function watchUpdates(
  signals: Signals,
  sessionId: string,
  listener: (news: LiveUpdate) => void,
): Promise<() => Promise<void>> {
  return signals.subscribe(channelOf(sessionId), (signal) => {
    const news = parseUpdate(signal);
    if (news !== null) listener(news);
  });
}

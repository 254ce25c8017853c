/** What a job carries: never more than it takes to claim a turn, or to see that it has moved on. */
export interface TurnHint {
  turnId: string;
  epoch: number;
  hint: number;
}

/** A small JSON object, at most 4 kB, that tells processes to look. */
export type Signal = Record<string, unknown>;

/** One process's share of the queue. */
export interface TurnConsumer {
  /** Hints that are being run. */
  readonly active: number;
  /** Takes nothing new. */
  pause(): Promise<void>;
  /** Waits up to `graceMs` for what runs, then closes by force. Never hangs. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions {
  /** Hints run at once. */
  concurrency: number;
  run(hint: TurnHint): Promise<void>;
  /** What `run` threw, and jobs that are none of ours. */
  onError(error: Error): void;
}

/**
 * What is disposable: the queue of hints, and signals between processes. Whatever is lost here,
 * the reconciler finds in the database.
 * All of it throws `BackplaneUnavailableError`, within seconds, while the server cannot be reached.
 */
export interface Backplane {
  readonly driver: 'redis' | 'postgres';
  /** Adds all hints in one round trip. A hint that is in the queue already is not added again. */
  hint(hints: readonly TurnHint[]): Promise<void>;
  /** Those of these hints that nobody will take up any more: no job, or one whose taker is silent. */
  missing(hints: readonly TurnHint[]): Promise<TurnHint[]>;
  consume(options: ConsumeOptions): TurnConsumer;
  /** Hands a signal to every process that subscribed, this one included. */
  publish(channel: string, signal: Signal): Promise<void>;
  /** Returns the way to unsubscribe. One connection carries all subscriptions of a process. */
  subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>>;
  /** Called when signals flow again after a loss: what came meanwhile was lost, so look. */
  onReconnect(listener: () => void): () => void;
  /** A real round trip. */
  ping(): Promise<void>;
  depth(): Promise<{ waiting: number; active: number }>;
  close(): Promise<void>;
}

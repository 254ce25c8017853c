import type { RequestRate } from './request-rate.ts';
import type { DeliveryJob } from './delivery-job.ts';
import type { HandOvers } from './hand-overs.ts';
import type { Live } from './live.ts';
import type { Signal } from './signal.ts';
import type { QueuedTurnJob, TurnJob } from './turn-job.ts';

/** One process's share of a queue. */
export interface JobConsumer {
  /** Jobs that are running. */
  readonly active: number;
  /**
   * Takes a slot for a run that has no job. Returns the function that frees it; null where no slot is free but the last
   * one, which is kept for a job that may be on its way.
   */
  takeSlot(): (() => void) | null;
  /** Slots that `takeSlot` would give now. */
  readonly freeSlots: number;
  /** Receives no new jobs; one that is received at this very moment is returned to the queue. */
  pause(): Promise<void>;
  /** Waits up to `graceMs` for running jobs, then closes by force. Never hangs. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions<Job> {
  /** Jobs that run at once. */
  concurrency: number;
  /** The most of those whose `run` has not called `claimed` yet. Default: `concurrency`. */
  unclaimedAtOnce?: number;
  /**
   * Runs a job. Calling `claimed` says that the turn or delivery is claimed: the job may end in the queue while `run`
   * continues. Until then, another process runs the job if this one dies.
   */
  run(job: Job, claimed: () => void): Promise<void>;
  /** Errors that `run` threw, invalid jobs, and errors of BullMQ's worker. */
  onError(error: Error): void;
}

/** A queue of jobs. */
export interface JobQueue<Job> {
  /** Adds all jobs in one round trip. A job that is already in the queue is not added again. */
  enqueue(jobs: readonly Job[]): Promise<void>;
  /** Those of these jobs that no process will run: not in the queue, or their process is silent. One round trip. */
  missing(jobs: readonly Job[]): Promise<Job[]>;
  /** Runs jobs as they come. A job whose `run` throws is reported and removed: Postgres knows what is left to do. */
  consume(options: ConsumeOptions<Job>): JobConsumer;
  depth(): Promise<{ waiting: number; active: number }>;
}

/** The queues of turns: `turns`, and one for each kind of workers that is not plain. `depth` is of those used here. */
export interface TurnQueues extends Omit<JobQueue<TurnJob>, 'enqueue' | 'missing'> {
  enqueue(jobs: readonly QueuedTurnJob[]): Promise<void>;
  missing<Job extends QueuedTurnJob>(jobs: readonly Job[]): Promise<Job[]>;
  /** `queue`: default `turns`. */
  consume(options: ConsumeOptions<TurnJob>, queue?: string): JobConsumer;
}

/**
 * What is disposable: the queues of jobs, and signals between processes. The reconciler repairs from the database
 * whatever is lost here. Every method throws `BackplaneUnavailableError`, within seconds, while the server cannot be
 * reached.
 */
export interface Backplane extends TurnQueues {
  readonly driver: 'redis' | 'postgres';
  /** The queue of webhook deliveries. The backplane itself is the queues of turns. */
  readonly deliveries: JobQueue<DeliveryJob>;
  /** Sends a signal to every subscribed process, this one included. Throws `TerminalError` over 4 kB. */
  publish(channel: string, signal: Signal): Promise<void>;
  /**
   * Returns the function that unsubscribes. All subscriptions of a process share one connection. While the server is
   * away this resolves too; the subscription is made when the server is back.
   */
  subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>>;
  /** Calls `listener` when signals arrive again after an outage: those sent meanwhile may be lost. */
  onReconnect(listener: () => void): () => void;
  /**
   * Limits the share of requests that are retries, by buckets that all processes share. `take` asks for one retry.
   * `deposit` records a success, and returns the token of a retry; it never throws, and no caller waits for it.
   */
  readonly retryBudget: {
    take(key: string): Promise<boolean>;
    deposit(key: string, wasRetry?: boolean): void;
  };
  /**
   * Takes `count` requests out of the key's bucket, which all processes share and which holds, and regains each
   * second, `perSecond`. Returns what is left: negative where more were made than it held, at most by one second's
   * worth. One round trip.
   */
  spendRequests(key: string, count: number, rate: RequestRate): Promise<number>;
  /** Turns that are accepted as claimed by a worker with a free slot, without a job. */
  readonly handOvers: HandOvers;
  /** Updates of running turns, for the clients that follow them. */
  readonly live: Live;
  /** Makes a write. Throws also while the server responds but refuses writes. */
  ping(): Promise<void>;
  /** Closes all connections. Never hangs; consumers that are still open are closed by force. */
  close(): Promise<void>;
}

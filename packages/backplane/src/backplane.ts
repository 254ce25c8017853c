import type { RequestRate } from './request-rate.ts';
import type { DeliveryJob } from './delivery-job.ts';
import type { Live } from './live.ts';
import type { TurnJob } from './turn-job.ts';

/** A small JSON object, at most 4 kB, that tells processes to look. */
export type Signal = Record<string, unknown>;

/** One process's share of a queue. */
export interface JobConsumer {
  /** JobQueue that are being run. */
  readonly active: number;
  /** Takes nothing new; what it took in that very moment goes back to the queue. */
  pause(): Promise<void>;
  /** Waits up to `graceMs` for what runs, then closes by force. Never hangs. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions<Job> {
  /** JobQueue run at once. */
  concurrency: number;
  /** Of those, so many at most whose `run` has not called `taken`. Default: all of them. */
  takenAtOnce?: number;
  /**
   * `taken`, where it is called, says that the job has done its work: its job is over, while `run` goes on.
   * Until then a job whose taker dies is run by another.
   */
  run(jobNumber: Job, taken: () => void): Promise<void>;
  /** What `run` threw, jobs that are none of ours, and what BullMQ's worker complains of. */
  onError(error: Error): void;
}

/** A queue of jobs. */
export interface JobQueue<Job> {
  /** Adds all jobs in one round trip. A job that is in the queue already is not added again. */
  enqueue(jobs: readonly Job[]): Promise<void>;
  /** Those of these jobs that nobody will take up: no job any more, or one whose taker is silent. One round trip. */
  missing(jobs: readonly Job[]): Promise<Job[]>;
  /** A job whose `run` throws is reported and gone, like one that went well: the truth is elsewhere. */
  consume(options: ConsumeOptions<Job>): JobConsumer;
  depth(): Promise<{ waiting: number; active: number }>;
}

/**
 * What is disposable: the queues of jobs, and signals between processes. Whatever is lost here,
 * the reconciler finds in the database.
 * All of it throws `BackplaneUnavailableError`, within seconds, while the server cannot be reached.
 */
export interface Backplane extends JobQueue<TurnJob> {
  readonly driver: 'redis' | 'postgres';
  /** Beside the turns', which are the backplane's own: that of webhook deliveries. */
  readonly deliveries: JobQueue<DeliveryJob>;
  /** Hands a signal to every process that subscribed, this one included. Throws `TerminalError` over 4 kB. */
  publish(channel: string, signal: Signal): Promise<void>;
  /**
   * Returns the way to unsubscribe. One connection carries all subscriptions of a process. While
   * the server is away this resolves all the same, and the subscription is made on its return.
   */
  subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>>;
  /** Called when signals flow again after a loss: what came meanwhile may be lost, so look. */
  onReconnect(listener: () => void): () => void;
  /**
   * How much of the traffic may be retries: buckets that all processes share. `take` asks for one retry.
   * `deposit` notes a success, and gives back what was taken where it was a retry; it never throws, and
   * nothing waits for it.
   */
  readonly retryBudget: {
    take(key: string): Promise<boolean>;
    deposit(key: string, wasRetry?: boolean): void;
  };
  /**
   * Notes requests that were made, in a bucket of the key that all processes share and that gains and holds
   * `perSecond`. Returns what is left in it: less than zero where more were made than there was room for;
   * a debt is at most a second's worth. One round trip.
   */
  spendRequests(key: string, count: number, rate: RequestRate): Promise<number>;
  /** What is told of running turns to whoever watches them. */
  readonly live: Live;
  /** A real round trip. Throws also while the server answers and takes no writes. */
  ping(): Promise<void>;
  /** Never hangs. Consumers that are still open are closed by force. */
  close(): Promise<void>;
}

import type { Job } from 'bullmq';

/** What is used of BullMQ's worker: the same for both of its backends. */
export interface BullWorker {
  concurrency: number;
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** The job's end is recorded. */
  on(event: 'completed' | 'failed', listener: (job: { id?: string } | undefined) => void): unknown;
  pause(doNotWaitForActive: boolean): Promise<void>;
  close(force: boolean): Promise<void>;
}

export type BullJob = Pick<Job<unknown>, 'data' | 'id' | 'moveToWait'>;

/** Makes workers, as often as one has to be replaced. */
export type MakeWorker = (
  process: (job: BullJob, token?: string) => Promise<void>,
  concurrency: number,
) => BullWorker;

/**
 * A job that the lock's holder is silent about is run by somebody else. That is harmless, since the
 * lease in Postgres is what counts and the epoch in the job makes a second claim refuse it; so the
 * lock may be short, and a job whose taker died before the claim is not lost for long. One second
 * chance is enough for that, and a job that loses all its takers is left to the reconciler.
 */
export const STALLED_JOBS = {
  lockDuration: 15_000,
  stalledInterval: 15_000,
  maxStalledCount: 1,
};

/** For jobs that somebody else put there: ours bring this with them. */
export const KEEP_NOTHING = { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } };

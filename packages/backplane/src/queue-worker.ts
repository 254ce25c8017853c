import type { Job } from 'bullmq';

/** The part of BullMQ's worker that is used; both of its backends have it. */
export interface BullWorker {
  concurrency: number;
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** The job's end is recorded on the server. */
  on(event: 'completed' | 'failed', listener: (job: { id?: string } | undefined) => void): unknown;
  pause(doNotWaitForActive: boolean): Promise<void>;
  close(force: boolean): Promise<void>;
}

export type BullJob = Pick<Job<unknown>, 'data' | 'id' | 'moveToWait'>;

/** Creates a worker; called again when one has to be replaced. */
export type MakeWorker = (
  process: (job: BullJob, token?: string) => Promise<void>,
  concurrency: number,
) => BullWorker;

/**
 * A job whose lock is not renewed is run by another process. That is harmless: the lease in Postgres decides, and the
 * job's epoch makes a second claim fail. So the lock may be short, and a job whose process died before the claim runs
 * again soon. One retry is enough; the reconciler adds a job that is lost twice.
 */
export const STALLED_JOBS = {
  lockDuration: 15_000,
  stalledInterval: 15_000,
  maxStalledCount: 1,
};

/** For jobs that another program added: ours have these options already. */
export const KEEP_NOTHING = { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } };

import type { z } from 'zod';

/** What is enqueued in one queue. */
export interface JobKind<Job> {
  /** The queue's name. */
  queue: string;
  /** What a job is of, in a complaint. */
  what: string;
  schema: z.ZodType<Job>;
  /** The job's id, so that a job which is in the queue already is no second job. BullMQ allows no colon in it. */
  jobIdOf(jobNumber: Job): string;
}

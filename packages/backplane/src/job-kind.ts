import type { z } from 'zod';

/** The jobs of one queue. */
export interface JobKind<Job> {
  /** The queue's name. */
  queue: string;
  /** What a job is for, in an error message. */
  what: string;
  schema: z.ZodType<Job>;
  /** The job's id: a job with the id of one in the queue is not added. BullMQ allows no colon in it. */
  jobIdOf(job: Job): string;
}

import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

/** BullMQ allows no colon in a job's id. */
export const turnJobSchema = z.strictObject({
  turnId: z.string().regex(/^[^:\s]{1,100}$/),
  epoch: z.int().nonnegative(),
  jobNumber: z.int().nonnegative(),
});

/** A job's data: only what a claim of the turn needs, or what shows that the job is outdated. */
export type TurnJob = z.infer<typeof turnJobSchema>;

/** A job, and the queue that it is in; none: `turns`. The queue is not part of its data. */
export type QueuedTurnJob = TurnJob & { queue?: string | null };

export const TURN_JOBS: JobKind<TurnJob> = {
  queue: 'turns',
  what: 'a turn',
  schema: turnJobSchema,
  jobIdOf: ({ turnId, epoch, jobNumber }) => `${turnId}.${epoch}.${jobNumber}`,
};

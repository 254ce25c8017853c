import type { z } from 'zod';

/** What is hinted in one queue. */
export interface HintKind<Hint> {
  /** The queue's name. */
  queue: string;
  /** What a hint is of, in a complaint. */
  what: string;
  schema: z.ZodType<Hint>;
  /** The job's id, so that a hint which is in the queue already is no second job. BullMQ allows no colon in it. */
  jobIdOf(hint: Hint): string;
}

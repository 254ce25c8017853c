import { z } from 'zod';

/** BullMQ allows no colon in a job's id. */
export const turnHintSchema = z.strictObject({
  turnId: z.string().regex(/^[^:\s]{1,100}$/),
  epoch: z.int().nonnegative(),
  hint: z.int().nonnegative(),
});

/** What a job carries: never more than it takes to claim a turn, or to see that it has moved on. */
export type TurnHint = z.infer<typeof turnHintSchema>;

/** The job's id, so that a hint which is in the queue already is no second job. */
export function jobIdOf({ turnId, epoch, hint }: TurnHint): string {
  return `${turnId}.${epoch}.${hint}`;
}

import { z } from 'zod';
import type { HintKind } from './hint-kind.ts';

/** BullMQ allows no colon in a job's id. */
export const turnHintSchema = z.strictObject({
  turnId: z.string().regex(/^[^:\s]{1,100}$/),
  epoch: z.int().nonnegative(),
  hint: z.int().nonnegative(),
});

/** What a job carries: never more than it takes to claim a turn, or to see that it has moved on. */
export type TurnHint = z.infer<typeof turnHintSchema>;

export const TURN_HINTS: HintKind<TurnHint> = {
  queue: 'turns',
  what: 'a turn',
  schema: turnHintSchema,
  jobIdOf: ({ turnId, epoch, hint }) => `${turnId}.${epoch}.${hint}`,
};

import { z } from 'zod';

/** The pool of workers and agents that name none. */
export const DEFAULT_POOL = 'default';

/** A name of a group of workers. It is part of a queue's name. */
export const poolNameSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,31}$/,
    'must be 1 to 32 of a-z, 0-9, _ and -, and begin with a letter or digit',
  );

/** Why a queued turn is put aside: no live worker can run it. */
export const waitingForSchema = z
  .object({
    pool: z.string().meta({ description: 'The pool of its agent.' }),
    tools: z.array(z.string()).meta({
      description:
        'The tools in code that no live worker of the pool has. Where each is had by some worker, but all by none: all of them. Empty where the pool has no live worker and the agent names no tools in code.',
    }),
    since: z.iso.datetime(),
  })
  .meta({
    id: 'WaitingFor',
    description: 'A worker of this pool with these tools must start; then the turn runs by itself.',
  });
export type WaitingFor = z.infer<typeof waitingForSchema>;

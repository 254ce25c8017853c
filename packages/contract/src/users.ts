import { z } from 'zod';
import { idSchema } from './ids.ts';
import { storableText } from './storable-text.ts';

/** Whoever talks to an agent, as the tenant names them. */
export const userIdSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((id) => id === storableText(id), 'must be text without NUL')
  .meta({
    description:
      'The end user whose conversation it is, as you name them: all that is stored of them can be erased by it. An id says less than an address.',
    example: 'user-42',
  });

export const createUserErasureSchema = z
  .strictObject({ user_id: userIdSchema })
  .meta({ id: 'CreateUserErasure' });
export type CreateUserErasure = z.infer<typeof createUserErasureSchema>;

export const userErasureSchema = z
  .object({
    id: idSchema('userErasure'),
    object: z.literal('user_erasure'),
    status: z.enum(['pending', 'completed']),
    user_hash: z.string().length(64).meta({
      description:
        'SHA-256, in hexadecimal, of your tenant id, a colon and the id of the user: the id itself is forgotten once they are erased.',
    }),
    erased_sessions: z.int().nonnegative().meta({
      description: 'How many were erased so far. Sessions of child turns go with those that they belong to.',
    }),
    created_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
  })
  .meta({
    id: 'UserErasure',
    description:
      'The erasure of an end user: their sessions, with turns, steps, messages, events, deliveries and files. What is left is what their model calls cost, and this.',
  });
export type UserErasure = z.infer<typeof userErasureSchema>;

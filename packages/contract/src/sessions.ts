import { z } from 'zod';
import { contentBlockSchema } from './content.ts';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';
import { microsSchema } from './money.ts';
import { refusedBlockSchema } from './refusals.ts';
import { userIdSchema } from './users.ts';

export const createSessionSchema = z
  .strictObject({
    agent_id: idSchema('agent'),
    metadata: metadataSchema.optional(),
    user_id: userIdSchema.optional(),
    budget_micros: microsSchema.optional().meta({ description: 'Limit on the total cost of the session.' }),
  })
  .meta({ id: 'CreateSession' });
export type CreateSession = z.infer<typeof createSessionSchema>;

/** Omitted fields keep their value. */
export const updateSessionSchema = z
  .strictObject({ metadata: metadataSchema.optional(), budget_micros: microsSchema.nullable().optional() })
  .meta({ id: 'UpdateSession' });
export type UpdateSession = z.infer<typeof updateSessionSchema>;

/** Of turns, steps and messages at most one thing is named: what a fork ends after. */
export const forkSessionSchema = z
  .strictObject({
    after_turn_id: idSchema('turn').optional().meta({
      description:
        'The last turn that is copied. It must have ended, unless `after_step` is given. Default: the last one that has ended.',
    }),
    after_step: z.int().nonnegative().optional().meta({
      description: 'The index of the last step of `after_turn_id` that is copied.',
    }),
    after_message_id: idSchema('message').optional().meta({
      description: 'The last message that is copied, in place of a turn.',
    }),
    agent_id: idSchema('agent').optional().meta({
      description: 'The agent of the fork. Default: that of the session.',
    }),
    metadata: metadataSchema.optional().meta({ description: 'Default: that of the session.' }),
    budget_micros: microsSchema.nullable().optional().meta({
      description: 'Limit on the cost of what is run in the fork. Default: that of the session.',
    }),
  })
  .refine(({ after_step: step, after_turn_id: turn }) => step === undefined || turn !== undefined, {
    path: ['after_step'],
    message: 'needs `after_turn_id`',
  })
  .refine(
    ({ after_message_id: message, after_turn_id: turn }) => message === undefined || turn === undefined,
    {
      path: ['after_message_id'],
      message: 'cannot be set with `after_turn_id`',
    },
  )
  .meta({ id: 'ForkSession' });
export type ForkSession = z.infer<typeof forkSessionSchema>;

export const sessionSchema = z
  .object({
    id: idSchema('session'),
    object: z.literal('session'),
    agent_id: idSchema('agent'),
    metadata: metadataSchema,
    user_id: userIdSchema.nullable().meta({
      description:
        'The end user whose conversation it is. Forks, and sessions of child turns, are of the same user.',
    }),
    turn_count: z.int().nonnegative(),
    budget_micros: microsSchema.nullable(),
    parent_session_id: idSchema('session')
      .nullable()
      .meta({ description: 'The session whose turn started this one by calling an agent. Erased with it.' }),
    forked_from: z
      .object({
        session_id: idSchema('session'),
        turn_id: idSchema('turn').nullable(),
        step_index: z.int().min(-1).nullable().meta({
          description: 'The last step of the turn that was copied, -1 for none; null for the whole turn.',
        }),
        rerun_of: idSchema('turn')
          .nullable()
          .meta({ description: 'The turn that it was forked for, to be made again.' }),
      })
      .nullable()
      .meta({
        description:
          'The session whose beginning was copied into this one, and the last turn that was. They may be erased by now.',
      }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Session', description: 'One conversation. Its turns run in order, one at a time.' });
export type Session = z.infer<typeof sessionSchema>;

export const messageSchema = z
  .object({
    id: idSchema('message'),
    object: z.literal('message'),
    session_id: idSchema('session'),
    turn_id: idSchema('turn'),
    role: z.enum(['user', 'assistant']),
    content: z.array(contentBlockSchema),
    partial: z.boolean().meta({
      description:
        'True if the model was stopped while it wrote the message: `content` is what it had written.',
    }),
    visible_to_model: z.boolean().meta({
      description:
        'Whether the next model call of the session contains the message, apart from its `refused_blocks`.',
    }),
    hidden_reason: z
      .enum(['rolled_back', 'compacted', 'refused'])
      .nullable()
      .meta({
        description:
          'Why the model does not see the message: its turn was rolled back, a summary replaced it, or the model ' +
          'API refused all its blocks.',
      }),
    refused_blocks: z.array(refusedBlockSchema).meta({
      description: 'Blocks that the model API refused. The model sees a short text instead of each.',
    }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Message', description: 'One message of a session.' });

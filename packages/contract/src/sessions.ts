import { z } from 'zod';
import { contentBlockSchema } from './content.ts';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';
import { microsSchema } from './money.ts';
import { refusedBlockSchema } from './refusals.ts';

export const createSessionSchema = z
  .strictObject({
    agent_id: idSchema('agent'),
    metadata: metadataSchema.optional(),
    budget_micros: microsSchema.optional().meta({ description: 'Limit on the total cost of the session.' }),
  })
  .meta({ id: 'CreateSession' });
export type CreateSession = z.infer<typeof createSessionSchema>;

/** Omitted fields keep their value. */
export const updateSessionSchema = z
  .strictObject({ metadata: metadataSchema.optional(), budget_micros: microsSchema.nullable().optional() })
  .meta({ id: 'UpdateSession' });
export type UpdateSession = z.infer<typeof updateSessionSchema>;

export const sessionSchema = z
  .object({
    id: idSchema('session'),
    object: z.literal('session'),
    agent_id: idSchema('agent'),
    metadata: metadataSchema,
    turn_count: z.int().nonnegative(),
    budget_micros: microsSchema.nullable(),
    parent_session_id: idSchema('session')
      .nullable()
      .meta({ description: 'The session whose turn started this one by calling an agent. Erased with it.' }),
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

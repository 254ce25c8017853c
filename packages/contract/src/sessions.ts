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
    budget_micros: microsSchema
      .optional()
      .meta({ description: 'What the turns of the session may cost together.' }),
  })
  .meta({ id: 'CreateSession' });
export type CreateSession = z.infer<typeof createSessionSchema>;

/** What stays as it is, is left out. */
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
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Session', description: 'One conversation; its turns run one after another, in order.' });
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
      description: 'An answer that was stopped while the model wrote it: this is what it had said by then.',
    }),
    visible_to_model: z.boolean().meta({
      description: 'Whether the next model call of the session is shown it, apart from its `refused_blocks`.',
    }),
    hidden_reason: z
      .enum(['rolled_back', 'compacted', 'refused'])
      .nullable()
      .meta({
        description:
          'Why it is not: its turn was rolled back; the model is shown notes of it instead; or the model API ' +
          'refused all of its blocks.',
      }),
    refused_blocks: z.array(refusedBlockSchema).meta({
      description: 'Blocks that the model API refused. The model is shown a short text in place of each.',
    }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Message', description: 'One message of a session, and whether the model sees it.' });

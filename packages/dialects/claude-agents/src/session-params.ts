import { idSchema } from '@turnpike/contract';
import { z } from 'zod';
import { empty, metadataNames } from './common.ts';
import { userMessageParams } from './event-params.ts';
import { metadataParams, metadataPatch } from './labels.ts';
import { budgetParams } from './money.ts';

const agentId = idSchema('agent');
const title = z.string().max(512).nullish();
const vaults = empty('credentials are secrets of the tenant, at /v1/secrets');

export const createSessionParams = z
  .strictObject({
    agent: z.union([
      agentId,
      z.strictObject({
        type: z.literal('agent', 'must be agent: an agent with overrides is another agent here'),
        id: agentId,
        version: z.int().min(1).max(2_147_483_647).optional(),
      }),
    ]),
    environment_id: z
      .string()
      .regex(/^[\w-]{1,128}$/, 'must be an id')
      .meta({ description: 'Kept and shown. There are no containers.', example: 'env_production' }),
    budget: budgetParams.nullish(),
    initial_events: z
      .array(userMessageParams)
      .max(1, 'can have one user.message: a turn has one input')
      .optional(),
    metadata: metadataParams.optional().meta(metadataNames),
    resources: empty('there is no container that they could be mounted in'),
    title,
    vault_ids: vaults,
  })
  .meta({ id: 'ClaudeCreateSession' });
export type CreateSessionParams = z.output<typeof createSessionParams>;

export const updateSessionParams = z
  .strictObject({
    agent: z.null('is not supported: change the agent, and begin a session of its new version').optional(),
    budget: budgetParams.nullish(),
    metadata: metadataPatch.nullish().meta(metadataNames),
    title,
    vault_ids: vaults,
  })
  .meta({ id: 'ClaudeUpdateSession', description: 'Omitted fields keep their value; null clears a field.' });

import type { Agent } from '@turnpike/contract';
import { defineDialectRoute, type DialectRoute } from '@turnpike/dialect-base';
import { z } from 'zod';
import { findAgent } from '../ask.ts';

const none = z.object({});
/** The official client reads all models in one page. */
const MOST_MODELS = 1_000;

const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string(),
  })
  .meta({ id: 'OpenAIModel', description: 'A model: an agent.' });

const modelOf = ({ name, created_at: createdAt }: Agent): z.output<typeof modelSchema> => ({
  id: name,
  object: 'model',
  created: Math.floor(Date.parse(createdAt) / 1000),
  owned_by: 'turnpike',
});

export const modelRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'get',
    path: '/openai/v1/models',
    operationId: 'openaiListModels',
    summary: 'List the agents as models, as the official client of OpenAI does',
    scope: 'agents:read',
    params: none,
    query: none,
    response: {
      status: 200,
      description: 'The newest agents, a thousand at most.',
      schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }),
    },
    problems: [],
    async handle(_call, { agents }) {
      const listed = await agents.list({}, { cursor: null, limit: MOST_MODELS });
      return { status: 200, body: { object: 'list', data: listed.map(modelOf) } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/openai/v1/models/:model',
    operationId: 'openaiGetModel',
    summary: 'Read an agent as a model, as the official client of OpenAI does',
    scope: 'agents:read',
    params: z.object({
      model: z.string().min(1).max(200).meta({ description: 'The name or the id of an agent.' }),
    }),
    query: none,
    response: { status: 200, description: 'The model.', schema: modelSchema },
    problems: ['not_found'],
    async handle({ params: { model } }, useCases) {
      const found = await findAgent(useCases, model);
      return { status: 200, body: { ...modelOf(found.agent), id: model } };
    },
  }),
];

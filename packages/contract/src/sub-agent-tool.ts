import { z } from 'zod';
import { idSchema } from './ids.ts';
import { deferLoadingSchema } from './messages-api/server-tools.ts';
import { inputSchemaSchema, toolNameSchema, type InputSchema } from './tools.ts';

/** Another agent of the tenant as a tool. A call is a child turn, in a session of its own. */
export const subAgentSchema = z.strictObject({
  type: z.literal('agent'),
  name: toolNameSchema,
  agent_id: idSchema('agent').meta({
    description: 'The agent that is called. Each call uses the version that is newest at that moment.',
  }),
  description: z
    .string()
    .min(1)
    .max(10_000)
    .meta({ description: 'Tells the model what the agent does and when to call it.' }),
  input_schema: inputSchemaSchema.optional().meta({
    description:
      'A JSON Schema of the input, which the agent gets as JSON text. Default: an object with a `prompt`, whose text the agent gets.',
  }),
  requires_approval: z.boolean().default(false).meta({
    description: 'If true, the turn waits in `requires_action` until the call is approved or denied.',
  }),
  defer_loading: deferLoadingSchema,
});

/** The input of a sub-agent without a schema of its own. */
export const PROMPT_SCHEMA: InputSchema = {
  type: 'object',
  properties: {
    prompt: {
      type: 'string',
      minLength: 1,
      description: 'What the agent is to do, with all that it must know.',
    },
  },
  required: ['prompt'],
  additionalProperties: false,
};

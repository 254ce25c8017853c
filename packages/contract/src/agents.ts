import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';

/** A tool that the operator registered in code. */
export const builtinToolSchema = z.strictObject({
  type: z.literal('builtin'),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
});

export const agentToolSchema = z.discriminatedUnion('type', [builtinToolSchema]);
export type AgentTool = z.infer<typeof agentToolSchema>;

/** What a version of an agent fixes. A turn keeps the version it was accepted with. */
export const agentConfigSchema = z.strictObject({
  model: z.string().min(1).max(200).meta({ example: 'claude-sonnet-4-5' }),
  system: z.string().max(200_000).optional(),
  tools: z
    .array(agentToolSchema)
    .max(128)
    .refine(
      (tools) => new Set(tools.map((tool) => tool.name)).size === tools.length,
      'tool names must differ',
    )
    .default([]),
  max_tokens: z
    .int()
    .min(1)
    .max(128_000)
    .default(4096)
    .meta({ description: 'Output tokens of one model call.' }),
  max_steps: z.int().min(1).max(1000).default(50).meta({ description: 'Model calls in one turn.' }),
  temperature: z.number().min(0).max(1).optional(),
  stop_sequences: z.array(z.string().min(1).max(200)).max(16).optional(),
  thinking: z.strictObject({ type: z.literal('enabled'), budget_tokens: z.int().min(1024) }).optional(),
});
export type AgentConfig = z.infer<typeof agentConfigSchema>;

const agentName = z.string().min(1).max(200);

export const createAgentSchema = agentConfigSchema
  .extend({ name: agentName, metadata: metadataSchema.optional() })
  .superRefine(checkThinking)
  .meta({ id: 'CreateAgent' });
export type CreateAgent = z.infer<typeof createAgentSchema>;

/** A new version: the whole configuration again; `name` and `metadata` stay where left out. */
export const updateAgentSchema = agentConfigSchema
  .extend({ name: agentName.optional(), metadata: metadataSchema.optional() })
  .superRefine(checkThinking)
  .meta({ id: 'UpdateAgent' });
export type UpdateAgent = z.infer<typeof updateAgentSchema>;

function checkThinking(config: AgentConfig, context: z.RefinementCtx): void {
  if (config.thinking !== undefined && config.thinking.budget_tokens >= config.max_tokens) {
    context.addIssue({
      code: 'custom',
      path: ['thinking', 'budget_tokens'],
      message: 'must be less than max_tokens',
    });
  }
}

export const agentSchema = agentConfigSchema
  .extend({
    id: idSchema('agent'),
    object: z.literal('agent'),
    name: z.string(),
    version: z.int().positive(),
    metadata: metadataSchema,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Agent', description: 'A named, versioned configuration.' });
export type Agent = z.infer<typeof agentSchema>;

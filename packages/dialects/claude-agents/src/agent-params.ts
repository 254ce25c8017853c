import { z } from 'zod';
import { empty, metadataNames, none } from './common.ts';
import { metadataParams, metadataPatch } from './labels.ts';

const POLICIES = ['always_allow', 'always_ask'] as const;
const policy = z
  .strictObject({ type: z.enum(POLICIES, 'must be always_allow or always_ask: nobody judges calls here') })
  .nullish();

const defaultConfig = z.strictObject({ enabled: z.boolean().nullish(), permission_policy: policy }).nullish();

const location = z.strictObject({
  type: z.literal('approximate'),
  city: z.string().nullish(),
  country: z.string().nullish(),
  region: z.string().nullish(),
  timezone: z.string().nullish(),
});

const domains = z.array(z.string()).optional();
const toolConfig = z.strictObject({
  name: z.enum(['bash', 'edit', 'read', 'write', 'glob', 'grep', 'web_fetch', 'web_search']),
  type: z.string().max(32).optional(),
  enabled: z.boolean().nullish(),
  permission_policy: policy,
  allowed_domains: domains,
  blocked_domains: domains,
  max_content_tokens: z.int().nullish(),
  user_location: location.nullish(),
  url_sources: none('the model API decides what may be fetched'),
});

const toolset = z.strictObject({
  type: z.literal('agent_toolset_20260401'),
  configs: z.array(toolConfig).max(16).optional(),
  default_config: defaultConfig,
});

const mcpToolset = z.strictObject({
  type: z.literal('mcp_toolset'),
  mcp_server_name: z.string().min(1).max(255),
  configs: z
    .array(z.strictObject({ name: z.string(), enabled: z.boolean().nullish(), permission_policy: policy }))
    .max(128)
    .optional(),
  default_config: defaultConfig,
});

const customTool = z.strictObject({
  type: z.literal('custom'),
  name: z.string(),
  description: z.string(),
  input_schema: z.record(z.string(), z.unknown()),
});

const toolParams = z.discriminatedUnion('type', [customTool, toolset, mcpToolset]);
export type ToolParams = z.output<typeof toolParams>;
export type Toolset = z.output<typeof toolset>;
export type McpToolset = z.output<typeof mcpToolset>;

const mcpServerParams = z.strictObject({
  type: z.literal('url'),
  name: z.string().min(1).max(255),
  url: z.string().min(1).max(2_000),
});
export type McpServerParams = z.output<typeof mcpServerParams>;

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
const modelParams = z.union([
  z.string().min(1).max(200),
  z.strictObject({
    id: z.string().min(1).max(200),
    effort: z.union([z.enum(EFFORTS), z.strictObject({ type: z.enum(EFFORTS) })]).nullish(),
    inference_geo: z.string().nullish(),
    speed: z.enum(['standard', 'fast']).nullish(),
  }),
]);
export type ModelParams = z.output<typeof modelParams>;

const fields = {
  description: z.string().nullish(),
  system: z.string().nullish(),
  tools: z.array(toolParams).max(128).nullish(),
  mcp_servers: z.array(mcpServerParams).max(20).nullish(),
  skills: empty('skills need a container, and there is none'),
  multiagent: none('agents that call others are configured at /v1/agents'),
  execution_identity: z.strictObject({ type: z.literal('service_account') }).nullish(),
};

export const createAgentParams = z
  .strictObject({
    name: z.string().min(1).max(200),
    model: modelParams,
    ...fields,
    metadata: metadataParams.nullish().meta(metadataNames),
  })
  .meta({ id: 'ClaudeCreateAgent' });
export type CreateAgentParams = z.output<typeof createAgentParams>;

export const updateAgentParams = z
  .strictObject({
    name: z.string().min(1).max(200).optional(),
    model: modelParams.optional(),
    ...fields,
    metadata: metadataPatch.nullish().meta(metadataNames),
    version: z.int().min(1).max(2_147_483_647).optional(),
  })
  .meta({ id: 'ClaudeUpdateAgent', description: 'Omitted fields keep their value; null clears a field.' });
export type UpdateAgentParams = z.output<typeof updateAgentParams>;

import { z } from 'zod';
import { allowedOverridesSchema } from './allowed-overrides.ts';
import type { Effect } from './effects.ts';
import type { ValidationIssue } from './errors.ts';
import { idSchema } from './ids.ts';
import { addIssues } from './issues.ts';
import { capabilitiesOf } from './messages-api/model-capabilities.ts';
import { outputSchemaIssues } from './messages-api/output-schema.ts';
import {
  deferLoadingSchema,
  deferredToolIssues,
  SERVER_TOOL_NAMES,
  serverToolIssues,
  serverToolSettings,
} from './messages-api/server-tools.ts';
import { toolSchemaIssues } from './messages-api/tool-schema.ts';
import { mcpOverridesSchema, mcpServerNameSchema, toolNameAtServerSchema } from './mcp-servers.ts';
import { metadataSchema } from './metadata.ts';
import { modelParameterIssues, modelParameters, systemSchema } from './model-parameters.ts';
import { modelKeysSchema } from './model-settings.ts';
import { DEFAULT_POOL, poolNameSchema } from './pools.ts';
import { subAgentSchema } from './sub-agent-tool.ts';
import { inputSchemaSchema, toolNameSchema } from './tools.ts';

const requiresApproval = z.boolean().default(false).meta({
  description: 'If true, the turn waits in `requires_action` until the call is approved or denied.',
});

/** A tool that Turnpike brings along. */
const builtinToolSchema = z.strictObject({
  type: z.literal('builtin'),
  name: toolNameSchema,
  requires_approval: requiresApproval,
  defer_loading: deferLoadingSchema,
});

/** A tool that a worker's own code defines (`defineTool` of `@turnpike/worker`). */
const codeToolSchema = z.strictObject({
  type: z.literal('code'),
  name: toolNameSchema,
  requires_approval: requiresApproval,
  defer_loading: deferLoadingSchema,
});

/** An HTTP tool of the tenant, registered at `/v1/tools`. Each turn uses its configuration at the time of the claim. */
const httpToolSchema = z.strictObject({
  type: z.literal('http'),
  name: toolNameSchema,
  requires_approval: requiresApproval,
  defer_loading: deferLoadingSchema,
});

/** A tool that the client runs: the turn waits in `requires_action` for its output. */
const clientToolSchema = z.strictObject({
  type: z.literal('client'),
  name: toolNameSchema,
  description: z.string().min(1).max(10_000),
  input_schema: inputSchemaSchema,
  strict: z.boolean().optional().meta({
    description:
      'If true, the model API guarantees inputs that fit the schema, whose every object it closes.',
  }),
  defer_loading: deferLoadingSchema,
});

/** Text files that the model keeps across sessions, with the commands of Anthropic's memory tool. */
const memoryToolSchema = z.strictObject({
  type: z.literal('memory'),
  name: toolNameSchema.default('memory'),
  namespace: z
    .string()
    .regex(/^[a-zA-Z0-9_.-]{1,128}$/, 'must be 1 to 128 of a-z, A-Z, 0-9, _, . and -')
    .default('default')
    .meta({ description: 'Agents with the same namespace share their memory.' }),
  requires_approval: requiresApproval,
});

/** A tool that the model API runs itself, in the model call. */
const serverToolSchema = z.strictObject({
  type: z.literal('server'),
  name: z.enum(SERVER_TOOL_NAMES),
  ...serverToolSettings,
});

/** Tools of an MCP server of the tenant, registered at `/v1/mcp_servers`. A turn keeps the list that it began with. */
const mcpToolsSchema = z.strictObject({
  type: z.literal('mcp'),
  server: mcpServerNameSchema,
  tools: z
    .array(toolNameAtServerSchema)
    .max(128)
    .optional()
    .meta({ description: 'Names that the tools have at the server. If omitted, all of them.' }),
  overrides: mcpOverridesSchema
    .optional()
    .meta({ description: "What the server's own `overrides` do not say." }),
  defer_loading: deferLoadingSchema,
});

export const agentToolSchema = z.discriminatedUnion('type', [
  builtinToolSchema,
  codeToolSchema,
  httpToolSchema,
  clientToolSchema,
  memoryToolSchema,
  serverToolSchema,
  subAgentSchema,
  mcpToolsSchema,
]);
export type AgentTool = z.infer<typeof agentToolSchema>;

/** What differs between all tools of an agent. */
function identityOf(tool: AgentTool): string {
  return tool.type === 'mcp' ? `mcp ${tool.server}` : tool.name;
}

/** The configuration of one agent version. A turn keeps the version it was accepted with. */
export const agentConfigSchema = z.strictObject({
  model: z.string().min(1).max(200).meta({ example: 'claude-sonnet-4-5' }),
  system: systemSchema.optional(),
  model_keys: modelKeysSchema
    .min(1)
    .optional()
    .meta({ description: "Names of secrets in order of preference. They replace the tenant's model keys." }),
  tools: z
    .array(agentToolSchema)
    .max(128)
    .refine(
      (tools) => new Set(tools.map(identityOf)).size === tools.length,
      'tool names must differ, and so must MCP servers',
    )
    .default([]),
  pool: poolNameSchema.default(DEFAULT_POOL).meta({
    description:
      'Its turns run on workers of this pool (`WORKER_POOL`) that have its tools in code, and on no others.',
  }),
  max_tokens: z
    .int()
    .min(1)
    .max(128_000)
    .default(4096)
    .meta({ description: 'Maximum output tokens of one model call.' }),
  max_steps: z
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .meta({ description: 'Maximum number of model calls in one turn.' }),
  step_timeout_ms: z
    .int()
    .min(1000)
    .max(3_600_000)
    .default(600_000)
    .meta({ description: 'Time limit of one model call, including its retries.' }),
  context_tokens: z.int().min(1000).max(2_000_000).default(150_000).meta({
    description:
      'How many tokens of the session the model sees. Older messages are replaced by a summary that the model writes.',
  }),
  action_timeout_ms: z
    .int()
    .min(1000)
    .max(7 * 24 * 60 * 60 * 1000)
    .default(24 * 60 * 60 * 1000)
    .meta({
      description:
        'How long a turn waits for an approval or a tool output. After that, the call counts as denied.',
    }),
  allowed_overrides: allowedOverridesSchema.optional(),
  ...modelParameters,
});
export type AgentConfig = z.infer<typeof agentConfigSchema>;

/** An agent that is called as a tool: what its tools may do. */
export interface SubAgentStore {
  /**
   * The tools of the agent's newest version, and the effects of the HTTP tools among them by name. Null if the tenant
   * has no such agent, or no longer. Throws `RetryableError` where the store is unavailable.
   */
  read(
    tenantId: string,
    agentId: string,
  ): Promise<{ tools: readonly AgentTool[]; httpEffects: Readonly<Record<string, Effect>> } | null>;
}

const agentName = z.string().min(1).max(200);

export const agentVersionSchema = z.int().min(1).max(2_147_483_647);

export const createAgentSchema = agentConfigSchema
  .extend({ name: agentName, metadata: metadataSchema.optional() })
  .superRefine(checkConfig)
  .meta({ id: 'CreateAgent' });
export type CreateAgent = z.infer<typeof createAgentSchema>;

const fields = agentConfigSchema.shape;

/** A partial configuration. Omitted fields keep their value; null resets a field to its default. */
export const configChangeSchema = z.strictObject({
  model: fields.model.optional(),
  system: clearable(fields.system),
  model_keys: clearable(fields.model_keys),
  tools: clearable(fields.tools),
  pool: clearable(fields.pool),
  max_tokens: clearable(fields.max_tokens),
  max_steps: clearable(fields.max_steps),
  step_timeout_ms: clearable(fields.step_timeout_ms),
  context_tokens: clearable(fields.context_tokens),
  action_timeout_ms: clearable(fields.action_timeout_ms),
  allowed_overrides: clearable(fields.allowed_overrides),
  temperature: clearable(fields.temperature),
  top_p: clearable(fields.top_p),
  top_k: clearable(fields.top_k),
  stop_sequences: clearable(fields.stop_sequences),
  thinking: clearable(fields.thinking),
  effort: clearable(fields.effort),
  tool_choice: clearable(fields.tool_choice),
  output_format: clearable(fields.output_format),
  service_tier: clearable(fields.service_tier),
  batch_fallback: clearable(fields.batch_fallback),
  cache_ttl: clearable(fields.cache_ttl),
  speed: clearable(fields.speed),
  inference_geo: clearable(fields.inference_geo),
  context_management: clearable(fields.context_management),
  container: clearable(fields.container),
  betas: clearable(fields.betas),
  model_metadata: clearable(fields.model_metadata),
} satisfies Record<keyof AgentConfig, z.ZodType>);

export const updateAgentSchema = configChangeSchema
  .extend({
    name: agentName.optional(),
    metadata: metadataSchema.nullable().optional(),
    if_version: agentVersionSchema.optional().meta({
      description: 'The update is refused with `agent_changed` if the agent has a newer version than this.',
    }),
  })
  .meta({
    id: 'UpdateAgent',
    description: 'Omitted fields keep their value; `null` resets a field to its default.',
  });
export type UpdateAgent = z.infer<typeof updateAgentSchema>;

function clearable<Inner extends z.ZodType>(
  field: z.ZodDefault<Inner> | z.ZodOptional<Inner>,
): z.ZodOptional<z.ZodNullable<Inner>> {
  const { description } = field;
  const changed = field.unwrap().nullable().optional();
  return description === undefined ? changed : changed.meta({ description });
}

/** The configuration after an update. It validates fields one by one; `agentConfigIssues` finds combinations that are invalid. */
export function changeAgentConfig(config: AgentConfig, change: UpdateAgent): AgentConfig {
  const changes = Object.entries(change).filter(([field, value]) => field in fields && value !== undefined);
  const merged = Object.entries({ ...config, ...Object.fromEntries(changes) });
  return agentConfigSchema.parse(Object.fromEntries(merged.filter(([, value]) => value !== null)));
}

/**
 * What the Messages API would reject in a submitted configuration. Stored configurations are not checked: they may be
 * older than a rule.
 */
export function agentConfigIssues(config: AgentConfig): ValidationIssue[] {
  const issues = [...modelParameterIssues(config), ...deferredToolIssues(config.tools)];
  const add = (path: string, message: string): void => void issues.push({ path, message });
  for (const [index, tool] of config.tools.entries()) {
    if (tool.type === 'server') {
      issues.push(...serverToolIssues(tool, `tools.${index}`));
      if (tool.citations?.enabled === true && config.output_format !== undefined)
        add(`tools.${index}.citations`, 'must be disabled or omitted beside an output_format');
    }
    if (!('input_schema' in tool) || tool.input_schema === undefined) continue;
    const schemaIssues = toolSchemaIssues(tool.input_schema);
    for (const { path, message } of schemaIssues) add(`tools.${index}.input_schema.${path}`, message);
    if (tool.type !== 'client' || tool.strict !== true) continue;
    if (capabilitiesOf(config.model)?.structuredOutput === false) {
      add(`tools.${index}.strict`, `${config.model} does not accept strict tools`);
    }
    for (const { path, message } of outputSchemaIssues(tool.input_schema)) {
      add(`tools.${index}.input_schema.${path}`, message);
    }
  }
  return issues;
}

function checkConfig(config: AgentConfig, context: z.RefinementCtx): void {
  addIssues(agentConfigIssues(config), context);
}

export const agentSchema = agentConfigSchema
  .extend({
    id: idSchema('agent'),
    object: z.literal('agent'),
    name: z.string(),
    version: z.int().positive(),
    metadata: metadataSchema,
    created_at: z.iso.datetime().meta({ description: 'When the first version was created.' }),
    updated_at: z.iso.datetime().meta({ description: 'When this version was created.' }),
  })
  .meta({ id: 'Agent', description: 'One version of an agent.' });
export type Agent = z.infer<typeof agentSchema>;

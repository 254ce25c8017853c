import { z } from 'zod';
import type { ValidationIssue } from './errors.ts';
import { isOfServer } from './mcp-tool-names.ts';
import { contextManagementSchema } from './messages-api/context-management.ts';
import { capabilitiesOf, fastModeOf } from './messages-api/model-capabilities.ts';
import { outputSchemaIssues } from './messages-api/output-schema.ts';
import { inputSchemaSchema, toolNameSchema } from './tools.ts';

const display = z.enum(['summarized', 'omitted']).optional().meta({
  description: 'Whether the text of the thinking is returned. Default: as the model has it.',
});

const thinkingSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('enabled'), budget_tokens: z.int().min(1024), display }),
  z.strictObject({ type: z.literal('adaptive'), display }),
  z.strictObject({ type: z.literal('between_tools') }),
  z.strictObject({ type: z.literal('disabled') }),
]);

const disableParallel = z
  .boolean()
  .optional()
  .meta({ description: 'If true, the model makes one call at a time.' });

const toolChoiceSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('auto'), disable_parallel_tool_use: disableParallel }),
    z.strictObject({ type: z.literal('any'), disable_parallel_tool_use: disableParallel }),
    z.strictObject({
      type: z.literal('tool'),
      name: toolNameSchema,
      disable_parallel_tool_use: disableParallel,
    }),
    z.strictObject({ type: z.literal('none') }),
  ])
  .meta({
    description:
      '`any` and `tool` force a call in the first model call of a turn; after its results the model chooses by itself, so that the turn can end.',
  });

const systemBlockSchema = z.strictObject({
  type: z.literal('text'),
  text: z.string().min(1).max(200_000),
  cache_control: z
    .strictObject({ type: z.literal('ephemeral') })
    .optional()
    .meta({
      description: 'The prompt is cached up to here, for as long as `cache_ttl` says.',
    }),
});

/** The API accepts four cache markers: one is on the last tool, and one on the last message. */
const MOST_MARKED_BLOCKS = 2;

export const systemSchema = z.union([
  z.string().max(200_000),
  z
    .array(systemBlockSchema)
    .min(1)
    .max(32)
    .refine(
      (blocks) => blocks.filter((block) => block.cache_control !== undefined).length <= MOST_MARKED_BLOCKS,
      `at most ${MOST_MARKED_BLOCKS} blocks may have cache_control`,
    )
    .refine(
      (blocks) => blocks.reduce((sum, { text }) => sum + text.length, 0) <= 200_000,
      'must have at most 200000 characters together',
    ),
]);

export const outputFormatSchema = z
  .strictObject({ type: z.literal('json_schema'), schema: inputSchemaSchema })
  .meta({
    id: 'OutputFormat',
    description:
      'The JSON Schema of the output. The output is validated again here; the model is asked once more for one that does not fit.',
  });
export type OutputFormat = z.infer<typeof outputFormatSchema>;

/** Parameters of the Messages API that an agent sets. They are sent as they are. */
export const modelParameters = {
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).max(1_000_000).optional(),
  stop_sequences: z.array(z.string().min(1).max(200)).max(16).optional(),
  thinking: thinkingSchema.optional(),
  effort: z
    .enum(['low', 'medium', 'high', 'xhigh', 'max'])
    .optional()
    .meta({ description: 'How much effort the model puts into a response.' }),
  tool_choice: toolChoiceSchema.optional(),
  output_format: outputFormatSchema.optional(),
  service_tier: z.enum(['auto', 'standard_only', 'batch']).optional().meta({
    description:
      'Whether priority capacity is used where there is some. `batch`: model calls go through the Message Batches of the model API, at half the price; each may take up to a day.',
  }),
  batch_fallback: z.boolean().optional().meta({
    description:
      'With `service_tier: batch`: whether a call whose batch has not ended shortly before the deadline of the turn is made by itself. If the batch had begun, the call is paid for twice. Default: true; else the turn ends with its deadline.',
  }),
  speed: z
    .enum(['standard', 'fast'])
    .optional()
    .meta({ description: '`fast` writes faster, at a multiple of the price.' }),
  inference_geo: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{1,31}$/, 'must be a geography, such as us or global')
    .optional()
    .meta({
      description: 'Where the model runs: `global`, or a geography such as `us`, which costs a tenth more.',
      example: 'us',
    }),
  context_management: contextManagementSchema.optional(),
  container: z
    .strictObject({
      skills: z
        .array(
          z.strictObject({
            type: z.enum(['anthropic', 'custom']),
            skill_id: z.string().min(1).max(64),
            version: z.string().min(1).max(64).optional(),
          }),
        )
        .min(1)
        .max(8),
    })
    .optional()
    .meta({ description: 'Skills for the container of `code_execution`.' }),
  betas: z
    .array(z.string().regex(/^[a-z0-9-]{1,64}$/, 'must be a name such as context-1m-2025-08-07'))
    .max(16)
    .optional()
    .meta({ description: 'Betas of the Messages API, of those that the operator allows (`MODEL_BETAS`).' }),
  cache_ttl: z.enum(['5m', '1h']).optional().meta({
    description: 'How long the prompt stays in the cache. Default: `5m`; `1h` costs more to write.',
  }),
  model_metadata: z
    .strictObject({ user_id: z.string().min(1).max(256) })
    .optional()
    .meta({ description: '`metadata` of the model request: an opaque id of the end user, not a name.' }),
};

const parametersSchema = z.object({ model: z.string(), max_tokens: z.int(), ...modelParameters });
type Parameters = z.infer<typeof parametersSchema> & {
  tools: readonly ({ name: string } | { type: 'mcp'; server: string })[];
};

/** Which tools an MCP server has is known when a turn begins. */
function mayBeCalled(tool: Parameters['tools'][number], name: string): boolean {
  return 'name' in tool ? tool.name === name : isOfServer(tool.server, name);
}

/** What the Messages API would reject, in itself or for the model of the configuration. */
export function modelParameterIssues(config: Parameters): ValidationIssue[] {
  return [...combinationIssues(config), ...capabilityIssues(config)];
}

function combinationIssues(config: Parameters): ValidationIssue[] {
  const {
    thinking,
    temperature,
    top_p: topP,
    top_k: topK,
    tool_choice: choice,
    stop_sequences: stops = [],
  } = config;
  const issues: ValidationIssue[] = [];
  const add = (path: string, message: string): void => void issues.push({ path, message });
  if (thinking?.type === 'enabled' && thinking.budget_tokens >= config.max_tokens) {
    add('thinking.budget_tokens', 'must be less than max_tokens');
  }
  const thinks = thinking !== undefined && (thinking.type === 'enabled' || thinking.type === 'adaptive');
  if (thinks) {
    if (temperature !== undefined && temperature !== 1) {
      add('temperature', 'must be 1 or omitted when thinking is enabled');
    }
    if (topP !== undefined && topP < 0.95)
      add('top_p', 'must be at least 0.95 or omitted when thinking is enabled');
    if (topK !== undefined) add('top_k', 'must be omitted when thinking is enabled');
    if (choice?.type === 'any' || choice?.type === 'tool') {
      add('tool_choice.type', 'must be auto or none when thinking is enabled');
    }
  }
  if (temperature !== undefined && topP !== undefined)
    add('top_p', 'must be omitted where temperature is given');
  if (choice?.type === 'tool' && !config.tools.some((tool) => mayBeCalled(tool, choice.name))) {
    add('tool_choice.name', 'must be the name of one of the tools');
  }
  const clears = config.context_management?.edits.some(({ type }) => type === 'clear_thinking_20251015');
  if (clears === true && !thinks) {
    add('context_management.edits', 'clear_thinking_20251015 needs thinking of the type enabled or adaptive');
  }
  const runsCode = config.tools.some((tool) => 'name' in tool && tool.name === 'code_execution');
  if (config.container !== undefined && !runsCode) {
    add('container.skills', 'need the tool code_execution');
  }
  if (choice?.type === 'any' && config.tools.length === 0) add('tool_choice.type', 'needs at least one tool');
  for (const [index, stop] of stops.entries()) {
    if (stop.trim() === '') add(`stop_sequences.${index}`, 'must contain more than white space');
  }
  if (config.service_tier === 'batch' && config.speed === 'fast')
    add('speed', 'must be omitted where service_tier is batch');
  if (config.batch_fallback !== undefined && config.service_tier !== 'batch')
    add('batch_fallback', 'needs the service_tier batch');
  if (config.output_format !== undefined) {
    for (const { path, message } of outputSchemaIssues(config.output_format.schema)) {
      add(path === '' ? 'output_format.schema' : `output_format.schema.${path}`, message);
    }
  }
  return issues;
}

function capabilityIssues(config: Parameters): ValidationIssue[] {
  const accepted = capabilitiesOf(config.model);
  if (accepted === null) return [];
  const issues: ValidationIssue[] = [];
  const refuse = (path: string, what: string, instead: readonly string[] = []): void => {
    const choices = instead.length === 0 ? '' : `; it accepts ${instead.join(', ')}`;
    issues.push({ path, message: `${config.model} does not accept ${what}${choices}` });
  };
  const { thinking, effort, max_tokens: maxTokens } = config;
  if (maxTokens > accepted.maxTokens) {
    refuse('max_tokens', `${maxTokens} max_tokens`, [`${accepted.maxTokens} at most`]);
  }
  if (thinking !== undefined && !accepted.thinking.includes(thinking.type)) {
    refuse('thinking.type', `thinking of the type ${thinking.type}`, accepted.thinking);
  }
  if (effort !== undefined && !accepted.effort.includes(effort)) {
    refuse('effort', `the effort ${effort}`, accepted.effort);
  }
  if (config.output_format !== undefined && !accepted.structuredOutput)
    refuse('output_format', 'an output format');
  const choice = config.tool_choice?.type;
  if ((choice === 'any' || choice === 'tool') && !accepted.forcedTools) {
    refuse('tool_choice.type', `the tool choice ${choice}`, ['auto', 'none']);
  }
  if (config.context_management !== undefined && !accepted.contextManagement)
    refuse('context_management', 'context management');
  if (config.inference_geo !== undefined && !accepted.inferenceGeo) refuse('inference_geo', 'inference_geo');
  if (config.speed === 'fast' && fastModeOf(config.model) === null) refuse('speed', 'the speed fast');
  for (const name of ['temperature', 'top_p', 'top_k'] as const) {
    if (config[name] !== undefined && !accepted.sampling) refuse(name, name);
  }
  return issues;
}

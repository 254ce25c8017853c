import { z } from 'zod';

const cacheControl = z
  .strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() })
  .nullish();

const anyBlock = z.looseObject({ type: z.string() });

/** The blocks whose every field is checked. */
export const strictBlocks = {
  text: z.strictObject({
    type: z.literal('text'),
    text: z.string(),
    cache_control: cacheControl,
    citations: z.array(z.unknown()).nullish(),
  }),
  thinking: z.strictObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() }),
  redacted_thinking: z.strictObject({ type: z.literal('redacted_thinking'), data: z.string() }),
  tool_use: z.strictObject({
    type: z.literal('tool_use'),
    id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
    name: z.string().min(1).max(200),
    input: z.record(z.string(), z.unknown()),
    cache_control: cacheControl,
    caller: z.unknown().optional(),
    toolset_name: z.string().nullish(),
  }),
  tool_result: z.strictObject({
    type: z.literal('tool_result'),
    tool_use_id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
    content: z.union([z.string(), z.array(anyBlock)]).optional(),
    is_error: z.boolean().nullish(),
    cache_control: cacheControl,
    toolset_name: z.string().nullish(),
  }),
};

/** Blocks that are let through as they are: their insides mean nothing to a simulation. */
export const LOOSE_BLOCK_TYPES: readonly string[] = [
  'image',
  'document',
  'search_result',
  'container_upload',
  'server_tool_use',
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
];

export type TextBlock = z.infer<typeof strictBlocks.text>;
export type ToolUseBlock = z.infer<typeof strictBlocks.tool_use>;
export type ToolResultBlock = z.infer<typeof strictBlocks.tool_result>;
export type ThinkingBlock = z.infer<typeof strictBlocks.thinking>;

/** A content block that passed its check. */
export interface Block {
  type: string;
  cache_control?: z.infer<typeof cacheControl>;
}

export function isTextBlock(block: Block): block is TextBlock {
  return block.type === 'text';
}
export function isToolUseBlock(block: Block): block is ToolUseBlock {
  return block.type === 'tool_use';
}
export function isToolResultBlock(block: Block): block is ToolResultBlock {
  return block.type === 'tool_result';
}
export function isThinkingBlock(block: Block): block is ThinkingBlock {
  return block.type === 'thinking';
}

/** A tool of the client's own. Anthropic's own tools carry another `type` and are let through. */
export const customToolSchema = z.strictObject({
  type: z.literal('custom').nullish(),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/),
  description: z.string().optional(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  cache_control: cacheControl,
  allowed_callers: z.array(z.string()).optional(),
  defer_loading: z.boolean().optional(),
  eager_input_streaming: z.boolean().nullish(),
  input_examples: z.array(z.record(z.string(), z.unknown())).optional(),
  strict: z.boolean().optional(),
});

/** A tool that the request declares; `input_schema` is there for a tool of the client's own. */
export interface Tool {
  name: string;
  description?: string | undefined;
  input_schema?: { [key: string]: unknown } | undefined;
  cache_control?: z.infer<typeof cacheControl>;
  defer_loading?: unknown;
}

const toolChoiceSchema = z.strictObject({
  type: z.enum(['auto', 'any', 'tool', 'none']),
  name: z.string().optional(),
  disable_parallel_tool_use: z.boolean().optional(),
});

const thinkingSchema = z.strictObject({
  type: z.enum(['enabled', 'disabled', 'adaptive', 'between_tools']),
  budget_tokens: z.int().min(1024).optional(),
  display: z.enum(['summarized', 'omitted']).nullish(),
});

/** The body without its messages, system blocks and tools, which are checked one by one. */
export const countTokensSchema = z.strictObject({
  model: z.string().min(1).max(256),
  messages: z.array(z.strictObject({ role: z.string(), content: z.unknown() })).max(100_000),
  system: z.unknown().optional(),
  tools: z.array(z.looseObject({ type: z.string().nullish() })).optional(),
  tool_choice: toolChoiceSchema.optional(),
  thinking: thinkingSchema.optional(),
  cache_control: cacheControl,
  output_config: z
    .strictObject({
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(),
      format: z.strictObject({ type: z.literal('json_schema'), schema: z.looseObject({}) }).nullish(),
    })
    .optional(),
  speed: z.enum(['standard', 'fast']).nullish(),
});

export const messagesSchema = countTokensSchema.extend({
  max_tokens: z.int().min(0),
  stream: z.boolean().optional(),
  stop_sequences: z.array(z.string().min(1)).max(8192).optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
  metadata: z.strictObject({ user_id: z.string().max(512).nullish() }).optional(),
  container: z
    .union([z.string(), z.strictObject({ id: z.string().nullish(), skills: z.array(z.unknown()).nullish() })])
    .nullish(),
  context_management: z
    .strictObject({
      edits: z
        .array(
          z.looseObject({
            type: z.enum(['clear_tool_uses_20250919', 'clear_thinking_20251015', 'compact_20260112']),
          }),
        )
        .optional(),
    })
    .nullish(),
  diagnostics: z.unknown().optional(),
  inference_geo: z.string().nullish(),
  service_tier: z.enum(['auto', 'standard_only']).optional(),
});

/** A message with its content as blocks. `index` is its position in the request, before merging. */
export interface RequestMessage {
  index: number;
  role: 'user' | 'assistant' | 'system';
  content: Block[];
}

/** A request that the Messages API would accept, consecutive messages of one role merged. */
export interface MessagesRequest {
  model: string;
  maxTokens: number;
  stream: boolean;
  stopSequences: readonly string[];
  system: readonly Block[];
  tools: readonly Tool[];
  toolChoice: z.infer<typeof toolChoiceSchema>;
  /** Whether thinking blocks are wanted, and whether with their text. */
  thinking: 'none' | 'summarized' | 'omitted';
  speed: 'standard' | 'fast' | null;
  /** The container to use again. */
  containerId: string | null;
  messages: readonly RequestMessage[];
  /** A marker at the top level counts as one on the last block. */
  cacheControl: z.infer<typeof cacheControl>;
}

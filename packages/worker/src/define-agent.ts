import { nameAgents, parseAgent } from '@turnpike/contract';
import type { CodeTool } from './define-tool.ts';

/** A tool that the agent has beside those in code. */
export type OtherTool =
  /** One of an MCP server that workers start (`defineMcpServer(...).tool(name)`). */
  | { type: 'code'; name: string; requires_approval?: boolean; defer_loading?: boolean; code?: never }
  | { type: 'builtin' | 'http'; name: string; requires_approval?: boolean; defer_loading?: boolean }
  | {
      type: 'client';
      name: string;
      description: string;
      input_schema: { type: 'object'; [keyword: string]: unknown };
      strict?: boolean;
      defer_loading?: boolean;
    }
  | SubAgentTool
  | {
      type: 'server';
      name:
        | 'web_search'
        | 'web_fetch'
        | 'code_execution'
        | 'tool_search_tool_regex'
        | 'tool_search_tool_bm25';
      max_uses?: number;
      allowed_domains?: string[];
      blocked_domains?: string[];
      user_location?: {
        type: 'approximate';
        city?: string;
        region?: string;
        country?: string;
        timezone?: string;
      };
      max_content_tokens?: number;
      citations?: { enabled: boolean };
    }
  | {
      type: 'mcp';
      server: string;
      tools?: string[];
      overrides?: Record<string, McpOverride>;
      defer_loading?: boolean;
    }
  | { type: 'memory'; name?: string; namespace?: string; requires_approval?: boolean };

/** Another agent as a tool: by its name, or as `defineAgent` made it, among those of the tenant; or by its id. */
export type SubAgentTool = {
  type: 'agent';
  name: string;
  description: string;
  input_schema?: { type: 'object'; [keyword: string]: unknown };
  requires_approval?: boolean;
  defer_loading?: boolean;
} & ({ agent: string | AgentDefinition; agent_id?: never } | { agent_id: string; agent?: never });

/** What holds for one tool of an MCP server, where the server's configuration does not say it. */
export interface McpOverride {
  effect?: 'read' | 'idempotent' | 'once';
  requires_approval?: boolean;
  on_unknown?: 'tell_model' | 'ask' | 'fail';
  timeout_ms?: number;
}

/** What the model API leaves out of a long conversation. */
export type ContextEdit =
  | {
      type: 'clear_thinking_20251015';
      keep?: { type: 'thinking_turns'; value: number } | { type: 'all' } | 'all';
    }
  | {
      type: 'clear_tool_uses_20250919';
      trigger?: { type: 'input_tokens' | 'tool_uses'; value: number };
      keep?: { type: 'tool_uses'; value: number };
      clear_at_least?: { type: 'input_tokens'; value: number };
      exclude_tools?: string[];
      clear_tool_inputs?: boolean | string[];
    };

/** The models, or the most, that a turn may have; for other fields, that it may override them. */
export type AllowedOverrides = { model?: string[]; max_tokens?: number; max_steps?: number } & {
  [
    Field in
      | 'tools'
      | 'system'
      | 'temperature'
      | 'top_p'
      | 'top_k'
      | 'stop_sequences'
      | 'thinking'
      | 'effort'
      | 'tool_choice'
      | 'output_format'
      | 'service_tier'
      | 'batch_fallback'
      | 'cache_ttl'
      | 'speed'
      | 'inference_geo'
      | 'context_management'
      | 'container'
      | 'betas'
      | 'model_metadata'
  ]?: true;
};

/** An agent as the API has it, with tools in code among its tools. */
export interface AgentSettings {
  /** Identifies the agent among those of the project. */
  name: string;
  model: string;
  system?: string | readonly { type: 'text'; text: string; cache_control?: { type: 'ephemeral' } }[];
  model_keys?: string[];
  tools?: readonly (CodeTool | OtherTool)[];
  /** The pool of workers that run its turns. Default: `default`. */
  pool?: string;
  max_tokens?: number;
  max_steps?: number;
  step_timeout_ms?: number;
  context_tokens?: number;
  action_timeout_ms?: number;
  /** What a turn may override. Default: nothing. */
  allowed_overrides?: AllowedOverrides;
  temperature?: number;
  stop_sequences?: string[];
  top_p?: number;
  top_k?: number;
  thinking?:
    | { type: 'enabled'; budget_tokens: number; display?: 'summarized' | 'omitted' }
    | { type: 'adaptive'; display?: 'summarized' | 'omitted' }
    | { type: 'between_tools' }
    | { type: 'disabled' };
  effort?: 'low' | 'medium' | 'high' | 'xhigh' | 'max';
  tool_choice?:
    | { type: 'auto' | 'any'; disable_parallel_tool_use?: boolean }
    | { type: 'tool'; name: string; disable_parallel_tool_use?: boolean }
    | { type: 'none' };
  output_format?: { type: 'json_schema'; schema: { type: 'object'; [keyword: string]: unknown } };
  service_tier?: 'auto' | 'standard_only' | 'batch';
  batch_fallback?: boolean;
  cache_ttl?: '5m' | '1h';
  speed?: 'standard' | 'fast';
  inference_geo?: string;
  context_management?: { edits: ContextEdit[] };
  container?: { skills: { type: 'anthropic' | 'custom'; skill_id: string; version?: string }[] };
  betas?: string[];
  model_metadata?: { user_id: string };
  metadata?: Record<string, string>;
}

/** An agent as `defineAgent` made it. */
export interface AgentDefinition {
  readonly type: 'agent';
  readonly name: string;
  /** The body of `POST /v1/agents`, with every default. A tool may name an agent, `agent`, in place of its `agent_id`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Those of its tools that are in code. */
  readonly tools: readonly CodeTool[];
}

/** Defines an agent. Throws a `TypeError` that says what is wrong with it. */
export function defineAgent(settings: AgentSettings): AgentDefinition {
  if (typeof settings !== 'object' || settings === null) {
    throw new TypeError('An agent: give defineAgent() an object, { name, model, … }.');
  }
  const { tools = [], ...config } = settings;
  if (!Array.isArray(tools)) throw new TypeError(`The agent "${settings.name}": tools must be a list.`);
  const missing = tools.findIndex((tool) => typeof tool !== 'object' || tool === null);
  if (missing !== -1) {
    throw new TypeError(
      `The agent "${settings.name}": tools.${missing} is no tool: is its module imported in a circle, or its name misspelt?`,
    );
  }
  const parsed = parseAgent({ ...config, tools: tools.map(namedTool) });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TypeError(`The agent "${settings.name}": ${issue?.path.join('.')} ${issue?.message}`);
  }
  return Object.freeze({
    type: 'agent',
    name: settings.name,
    body: nameAgents(parsed.data),
    tools: tools.filter(isCodeTool),
  });
}

function namedTool(tool: CodeTool | OtherTool): object {
  if (isCodeTool(tool)) return { type: 'code', name: tool.name };
  if (tool.type !== 'agent' || typeof tool.agent !== 'object') return tool;
  return { ...tool, agent: tool.agent.name };
}

function isCodeTool(tool: CodeTool | OtherTool): tool is CodeTool {
  return tool.type === 'code' && tool.code !== undefined;
}

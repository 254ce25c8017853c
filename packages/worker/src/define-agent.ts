import { createAgentSchema } from '@turnpike/contract';
import type { CodeTool } from './define-tool.ts';

/** A tool that the agent has beside those in code. */
export type OtherTool =
  | { type: 'builtin' | 'http'; name: string; requires_approval?: boolean }
  | {
      type: 'client';
      name: string;
      description: string;
      input_schema: { type: 'object'; [keyword: string]: unknown };
      strict?: boolean;
    }
  | {
      type: 'agent';
      name: string;
      agent_id: string;
      description: string;
      input_schema?: { type: 'object'; [keyword: string]: unknown };
      requires_approval?: boolean;
    }
  | {
      type: 'server';
      name: 'web_search' | 'web_fetch' | 'code_execution';
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
  | { type: 'mcp'; server: string; tools?: string[]; overrides?: Record<string, McpOverride> }
  | { type: 'memory'; name?: string; namespace?: string; requires_approval?: boolean };

/** What holds for one tool of an MCP server, where the server's configuration does not say it. */
export interface McpOverride {
  effect?: 'read' | 'idempotent' | 'once';
  requires_approval?: boolean;
  on_unknown?: 'tell_model' | 'ask' | 'fail';
  timeout_ms?: number;
}

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
  temperature?: number;
  stop_sequences?: string[];
  top_p?: number;
  top_k?: number;
  thinking?:
    | { type: 'enabled'; budget_tokens: number; display?: 'summarized' | 'omitted' }
    | { type: 'adaptive'; display?: 'summarized' | 'omitted' }
    | { type: 'disabled' };
  effort?: 'low' | 'medium' | 'high' | 'xhigh' | 'max';
  tool_choice?:
    | { type: 'auto' | 'any'; disable_parallel_tool_use?: boolean }
    | { type: 'tool'; name: string; disable_parallel_tool_use?: boolean }
    | { type: 'none' };
  output_format?: { type: 'json_schema'; schema: { type: 'object'; [keyword: string]: unknown } };
  service_tier?: 'auto' | 'standard_only';
  cache_ttl?: '5m' | '1h';
  model_metadata?: { user_id: string };
  metadata?: Record<string, string>;
}

/** An agent as `defineAgent` made it. */
export interface AgentDefinition {
  readonly type: 'agent';
  readonly name: string;
  /** The body of `POST /v1/agents`, with every default. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Those of its tools that are in code. */
  readonly tools: readonly CodeTool[];
}

/** Defines an agent. Throws a `TypeError` that says what is wrong with it. */
export function defineAgent(settings: AgentSettings): AgentDefinition {
  const { tools = [], ...config } = settings;
  const named = tools.map((tool) => (isCodeTool(tool) ? { type: 'code' as const, name: tool.name } : tool));
  const body = createAgentSchema.safeParse({ ...config, tools: named });
  if (!body.success) {
    const [issue] = body.error.issues;
    throw new TypeError(`The agent "${settings.name}": ${issue?.path.join('.')} ${issue?.message}`);
  }
  return Object.freeze({
    type: 'agent',
    name: settings.name,
    body: body.data,
    tools: tools.filter(isCodeTool),
  });
}

function isCodeTool(tool: CodeTool | OtherTool): tool is CodeTool {
  return tool.type === 'code';
}

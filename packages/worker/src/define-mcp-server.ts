import { mcpOverrideSchema, mcpServerConfigSchema, mcpServerNameSchema, shownName } from '@turnpike/contract';
import { z } from 'zod';
import type { OnUnknown } from './define-tool.ts';

/** How calls of one tool of an MCP server are treated, whatever the server says of it. */
export interface McpToolOverride {
  effect?: 'read' | 'idempotent' | 'once';
  /** Whether a person must approve each call. */
  approval?: boolean;
  onUnknown?: OnUnknown;
  /** Milliseconds, at most 600,000. */
  timeoutMs?: number;
}

export interface McpServerSettings {
  /** 1 to 32 of `a-z A-Z 0-9 _ -`. Its tools are named `name__tool`. */
  name: string;
  /** The program that is started. It speaks the protocol on its standard input and output. */
  command: string;
  args?: readonly string[];
  /** All of the environment that the program gets, beside `HOME`, `LOGNAME`, `PATH`, `SHELL`, `TERM` and `USER`. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** The tools that agents may have, by their names at the server. Default: all. */
  tools?: readonly string[];
  /** How many of it run at most. One serves one call at a time, of any tenant. Default: 2. */
  processes?: number;
  /**
   * Mebibytes that one of it may hold, with all that it starts. One that holds more is ended: a call has no response
   * then. Looked at each second, on Linux alone. Default: 2,048.
   */
  maxMemoryMb?: number;
  /** Milliseconds that the program has to start and to list its tools. Default: 30,000. */
  startTimeoutMs?: number;
  /** Milliseconds that one call may take, at most 600,000. Default: 60,000. */
  timeoutMs?: number;
  /** Bytes of text of one result. Default: 65,536. */
  maxOutputBytes?: number;
  /** `trust`: what the server says of a tool decides its effect. `ignore`: only what is said here. Default: `trust`. */
  annotations?: 'trust' | 'ignore';
  /** The effect of tools of which nothing else says it. Default: `once`. */
  effect?: 'read' | 'idempotent' | 'once';
  /** Whether a person must approve each call. Default: false. */
  approval?: boolean;
  onUnknown?: OnUnknown;
  /** By the names that the tools have at the server. */
  overrides?: Readonly<Record<string, McpToolOverride>>;
}

/** An MCP server that workers start, as `defineMcpServer` made it. */
export interface McpServerDefinition {
  readonly type: 'mcp_server';
  readonly name: string;
  readonly settings: McpServerSettings;
  /** One of its tools, for `defineAgent`. */
  tool(name: string): { type: 'code'; name: string };
}

const overrideSchema = z.strictObject({
  effect: mcpOverrideSchema.shape.effect,
  approval: z.boolean().optional(),
  onUnknown: mcpOverrideSchema.shape.on_unknown,
  timeoutMs: mcpOverrideSchema.shape.timeout_ms,
});
const { shape } = mcpServerConfigSchema;
const settingsSchema = z.strictObject({
  name: mcpServerNameSchema,
  command: z.string().min(1),
  args: z.array(z.string()).optional(),
  env: z.record(z.string().min(1), z.string()).optional(),
  cwd: z.string().min(1).optional(),
  tools: z.array(z.string().min(1)).optional(),
  processes: z.int().min(1).max(64).optional(),
  maxMemoryMb: z.int().min(16).max(1_048_576).optional(),
  startTimeoutMs: z.int().min(100).max(600_000).optional(),
  timeoutMs: mcpOverrideSchema.shape.timeout_ms,
  maxOutputBytes: shape.max_output_bytes.unwrap().optional(),
  annotations: shape.annotations.unwrap().optional(),
  effect: mcpOverrideSchema.shape.effect,
  approval: z.boolean().optional(),
  onUnknown: mcpOverrideSchema.shape.on_unknown,
  overrides: z.record(z.string(), overrideSchema).optional(),
});

/**
 * Defines an MCP server that workers start and speak with on its standard input and output. It is the operator's: no
 * tenant can name a program. Throws a `TypeError` that says what is wrong with it.
 */
export function defineMcpServer(settings: McpServerSettings): McpServerDefinition {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path.join('.') ?? '';
    throw new TypeError(`The MCP server "${settings.name}": ${path} ${issue?.message ?? 'is invalid'}`);
  }
  const { name } = settings;
  return Object.freeze({
    type: 'mcp_server',
    name,
    settings: structuredClone(settings),
    tool: (tool: string) => ({ type: 'code' as const, name: shownName(name, tool, new Set()) }),
  });
}

/** The servers. Throws a `TypeError` for what `defineMcpServer` has not made, and for two servers of one name. */
export function checkMcpServers(servers: readonly McpServerDefinition[]): readonly McpServerDefinition[] {
  const names = new Set<string>();
  for (const server of servers) {
    if (server?.type !== 'mcp_server') {
      throw new TypeError('An MCP server was not made with defineMcpServer().');
    }
    if (names.has(server.name)) throw new TypeError(`Two MCP servers are called ${server.name}.`);
    names.add(server.name);
  }
  return servers;
}

import type { McpListedTool, McpServerOfTurn, ToolCall, ToolCallContext } from '@turnpike/contract';
import type { Connections } from './connections.ts';
import type { McpParts } from './mcp-parts.ts';
import type { OpenedServer } from './open-server.ts';
import type { McpPlan } from './plan-of-tool.ts';

/** What calls of MCP servers are made with. */
export interface CallParts extends Pick<McpParts, 'guard' | 'schemas' | 'limits'> {
  pool: Connections;
  /** The server of the call says that its tools have changed. */
  listChanged(): Promise<void>;
}

/** A server with the tools that a turn has of it. */
export interface TurnServer extends Pick<McpServerOfTurn, 'id' | 'name' | 'config'> {
  tools: readonly McpListedTool[];
}

/** One call, with the tool that it is of. */
export interface Calling {
  server: TurnServer;
  tool: McpListedTool;
  plan: McpPlan;
  call: ToolCall;
  context: ToolCallContext;
  /** Opens the secrets that the server is sent; as `ServerOpener.open`. */
  open(): Promise<OpenedServer | { refusal: string }>;
  parts: CallParts;
}

import type { McpListedTool, McpServerOfTurn } from '@turnpike/contract';
import type { ConnectionPool } from './connection-pool.ts';
import type { McpParts } from './mcp-parts.ts';
import type { ServerOpener } from './open-server.ts';

/** What calls of MCP servers, and the requests for their lists, are made with. */
export interface CallParts extends McpParts {
  pool: ConnectionPool;
  opener: ServerOpener;
}

/** A server with the tools that a turn has of it. */
export interface TurnServer extends Pick<McpServerOfTurn, 'id' | 'name' | 'config'> {
  tools: readonly McpListedTool[];
}

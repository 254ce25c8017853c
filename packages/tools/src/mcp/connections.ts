import type { TurnContext } from '@turnpike/contract';
import type { McpConnection } from './mcp-connection.ts';
import type { McpSession } from './mcp-session.ts';
import type { OpenedServer } from './open-server.ts';

export interface TakeOptions {
  signal: AbortSignal;
  timeoutMs: number;
  /** Not one that was used before. */
  fresh?: boolean;
  resume?: McpSession | null;
}

/** Whose connection it is. */
export type ConnectionOwner = Pick<TurnContext, 'tenantId' | 'sessionId'>;

/** Connections to MCP servers. One is used by one call at a time. */
export interface Connections {
  /** An idle connection, or a new one. Throws what connecting throws, and the signal's reason. */
  take(server: OpenedServer, owner: ConnectionOwner, options: TakeOptions): Promise<McpConnection>;
  /** The call is over, and the connection is as good as before. */
  giveBack(connection: McpConnection, server: OpenedServer, owner: ConnectionOwner): void;
  /** Closes it, in the background. */
  discard(connection: McpConnection): void;
  close(): Promise<void>;
}

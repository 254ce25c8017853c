import type { PriorDiscovery } from '@modelcontextprotocol/client';
import { LRUCache } from 'lru-cache';
import { describeFailure } from '../describe-failure.ts';
import type { ConnectionOwner, Connections, TakeOptions } from './connections.ts';
import { connect, type McpConnection } from './mcp-connection.ts';
import type { McpParts } from './mcp-parts.ts';
import type { OpenedServer } from './open-server.ts';

/** Idle connections of a worker. A server that keeps state for a session finds it again in the next call. */
const MOST_IDLE = 256;
const IDLE_MS = 60_000;
/** How long a connection is given to end its session, and a cancelled call to be told so. */
const CLOSE_MS = 2_000;
/** Servers whose way to speak is known. */
const MOST_DISCOVERED = 1_000;
const DISCOVERED_MS = 10 * 60_000;

/** The connections of a worker to MCP servers. One is used by one call at a time, and only for one conversation. */
export class ConnectionPool implements Connections {
  readonly #parts: Pick<McpParts, 'fetch' | 'secrets' | 'logger'>;
  readonly #idle: LRUCache<string, McpConnection>;
  readonly #discovered = new LRUCache<string, PriorDiscovery>({ max: MOST_DISCOVERED, ttl: DISCOVERED_MS });
  readonly #closing = new Set<Promise<void>>();

  constructor(parts: Pick<McpParts, 'fetch' | 'secrets' | 'logger'>) {
    this.#parts = parts;
    this.#idle = new LRUCache<string, McpConnection>({
      max: MOST_IDLE,
      ttl: IDLE_MS,
      ttlAutopurge: true,
      dispose: (connection, _key, reason) => {
        if (reason !== 'delete') this.discard(connection);
      },
    });
  }

  /** An idle connection of this conversation, of the session `resume`, or a new one. Throws what connecting throws. */
  async take(
    server: OpenedServer,
    { tenantId, sessionId }: ConnectionOwner,
    { signal, timeoutMs, fresh = false, resume = null }: TakeOptions,
  ): Promise<McpConnection> {
    const key = keyOf(server, sessionId);
    const idle = fresh ? undefined : this.#idle.get(key);
    if (idle !== undefined && (resume === null || idle.transport.sessionId === resume.id)) {
      this.#idle.delete(key);
      idle.reused = true;
      return idle;
    }
    const { fetch: send, secrets } = this.#parts;
    const discovered = this.#discovered.get(server.fingerprint) ?? null;
    try {
      const connection = await connect(
        server,
        tenantId,
        { send, secrets },
        { signal, timeoutMs, discovered, resume },
      );
      if (resume === null) this.#discovered.set(server.fingerprint, connection.discovered);
      return connection;
    } catch (error) {
      // It may speak otherwise by now.
      this.#discovered.delete(server.fingerprint);
      throw error;
    }
  }

  /** The call is over, and the connection is as good as before. */
  giveBack(connection: McpConnection, server: OpenedServer, { sessionId }: ConnectionOwner): void {
    connection.onQuestion = null;
    connection.transport.watch = null;
    this.#idle.set(keyOf(server, sessionId), connection);
  }

  /** Ends its session and closes it, in the background. */
  discard(connection: McpConnection): void {
    const closed = closeConnection(connection)
      .catch((error: unknown) =>
        this.#parts.logger.debug(
          'A connection to an MCP server could not be closed.',
          describeFailure(error),
        ),
      )
      .finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  async close(): Promise<void> {
    for (const connection of this.#idle.values()) this.discard(connection);
    this.#idle.clear();
    await Promise.all(this.#closing);
  }
}

function keyOf({ fingerprint }: OpenedServer, sessionId: string): string {
  return `${fingerprint} ${sessionId}`;
}

async function closeConnection({ client, transport, keepsSession }: McpConnection): Promise<void> {
  if (keepsSession) return client.close();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
    timer.unref();
  });
  try {
    await Promise.race([transport.terminateSession?.().catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
    await client.close();
  }
}

import type {
  McpChange,
  McpListedTool,
  McpServerOfTurn,
  ToolsChanged,
  ToolScope,
  TurnContext,
} from '@turnpike/contract';
import { LRUCache } from 'lru-cache';
import { describeFailure } from '../describe-failure.ts';
import { limitCall } from '../limit-call.ts';
import type { TurnServer } from './call-parts.ts';
import type { Connections } from './connections.ts';
import { listTools } from './list-tools.ts';
import type { McpParts } from './mcp-parts.ts';
import type { ServerOpener } from './open-server.ts';

/** For a server's list, beside the turn's own time. A turn waits for it only where there is no list that is new enough. */
const LIST_MS = 10_000;
/** A server that did not respond is asked again after this. */
const AWAY_MS = 30_000;
const MOST_AWAY = 10_000;
/** Characters of the lists in memory. */
const MOST_CACHED = 64_000_000;

/** What servers are asked for their lists with. */
export interface ListParts extends McpParts {
  pool: Connections;
  opener: ServerOpener;
}

type Listed = { hash: string; refused: string[]; change: Omit<McpChange, 'at'> | null } | null;

/** Finds, for a turn, the lists of tools that it began with; those of a turn that begins are asked for where they are old. */
export class TurnServers {
  readonly #parts: ListParts;
  readonly #away = new LRUCache<string, true>({ max: MOST_AWAY, ttl: AWAY_MS });
  /** Turns that begin together ask once. */
  readonly #asking = new Map<string, Promise<Listed>>();
  readonly #lists = new LRUCache<string, readonly McpListedTool[]>({
    maxSize: MOST_CACHED,
    sizeCalculation: (tools) => JSON.stringify(tools).length + 1,
  });

  constructor(parts: ListParts) {
    this.#parts = parts;
  }

  /**
   * The servers that an agent names, and what changed in their lists. A server that is away has the tools that it had
   * last. Throws `RetryableError` while the store is unavailable, and the signal's reason.
   */
  async open(
    { tenantId, agent }: ToolScope,
    context: TurnContext,
  ): Promise<{ servers: TurnServer[]; changes: ToolsChanged[] }> {
    const names = agent.tools.flatMap((tool) => (tool.type === 'mcp' ? [tool.server] : []));
    if (names.length === 0) return { servers: [], changes: [] };
    const found = await this.#parts.lists.readServers({ tenantId, turnId: context.turnId }, names);
    const opened = await Promise.all(found.map((server) => this.#open(server, context)));
    return {
      servers: opened.map(({ server }) => server),
      changes: opened.flatMap(({ change }) => (change === null ? [] : [change])),
    };
  }

  async #open(
    server: McpServerOfTurn,
    context: TurnContext,
  ): Promise<{ server: TurnServer; change: ToolsChanged | null }> {
    const { tenantId, turnId } = context;
    const { id, name, config, keptHash, keptRefused } = server;
    const withTools = (tools: readonly McpListedTool[] | null, refused: readonly string[]): TurnServer => ({
      id,
      name,
      config,
      tools: (tools ?? []).filter((tool) => !refused.includes(tool.name)),
    });
    const kept = keptHash === null ? null : await this.#read(tenantId, keptHash);
    if (kept !== null) return { server: withTools(kept, keptRefused), change: null };
    const newest = await this.#newest(server, context);
    if (newest === null) return { server: withTools(null, []), change: null };
    const { hash, refused } = await this.#parts.lists.keepList({ tenantId, turnId }, name, newest);
    const change =
      newest.change === null ? null : { server: name, ...newest.change, refused: newest.refused };
    return { server: withTools(await this.#read(tenantId, hash), refused), change };
  }

  async #read(tenantId: string, hash: string): Promise<readonly McpListedTool[] | null> {
    const key = `${tenantId} ${hash}`;
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const tools = await this.#parts.lists.readList(tenantId, hash);
    if (tools !== null) this.#lists.set(key, tools);
    return tools;
  }

  /** The list for a turn that begins; null where the server never gave one. */
  async #newest(server: McpServerOfTurn, context: TurnContext): Promise<Listed> {
    const { hash, refused, ageMs, config } = server;
    const known = hash === null ? null : { hash, refused, change: null };
    if (known !== null && ageMs !== null && ageMs < config.list_ttl_ms) return known;
    const key = `${context.tenantId} ${server.id}`;
    if (this.#away.has(key)) return known;
    try {
      const asking = this.#asking.get(key) ?? this.#ask(key, server, context);
      return (await untilAborted(asking, context.signal)) ?? known;
    } catch (error) {
      context.signal.throwIfAborted();
      this.#away.set(key, true);
      context.logger.warn('An MCP server could not be asked for its tools.', {
        mcp_server: server.name,
        ...describeFailure(error),
      });
      return known;
    }
  }

  #ask(key: string, server: McpServerOfTurn, context: TurnContext): Promise<Listed> {
    const asking = this.#list(server, context).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #list(server: McpServerOfTurn, { tenantId, sessionId, logger }: TurnContext): Promise<Listed> {
    const { opener, pool, guard, lists, schemas } = this.#parts;
    // Not the turn's signal: other turns wait for the same list.
    const limit = limitCall(new AbortController().signal, LIST_MS);
    try {
      const opened = await Promise.race([opener.open(tenantId, server), limit.ended]);
      if ('refusal' in opened) {
        logger.warn('An MCP server could not be asked for its tools.', { mcp_server: server.name });
        return null;
      }
      const { tools, hash } = await guard.run(`${tenantId} mcp ${server.id}`, limit.signal, async () => {
        const connection = await pool.take(
          opened,
          { tenantId, sessionId },
          { signal: limit.signal, timeoutMs: LIST_MS, fresh: true },
        );
        try {
          const asking = { name: server.name, owner: tenantId, signal: limit.signal, timeoutMs: LIST_MS };
          const read = await listTools(connection, asking, { schemas, logger });
          pool.giveBack(connection, opened, { tenantId, sessionId });
          return read;
        } catch (error) {
          pool.discard(connection);
          throw error;
        }
      });
      const stored = await lists.storeList({ tenantId, serverId: server.id }, hash, tools);
      return { hash, ...stored };
    } finally {
      limit.release();
    }
  }
}

async function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

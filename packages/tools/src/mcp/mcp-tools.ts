import {
  shownName,
  type AgentTool,
  type McpListedTool,
  type ToolsChanged,
  type ToolScope,
  type TurnContext,
} from '@turnpike/contract';
import type { GivenTool } from '../given-tool.ts';
import type { TurnServer } from './call-parts.ts';
import { ConnectionPool } from './connection-pool.ts';
import { givenMcpTool } from './given-mcp-tool.ts';
import type { McpParts } from './mcp-parts.ts';
import { ServerOpener } from './open-server.ts';
import { planOfTool } from './plan-of-tool.ts';
import { TurnServers, type ListParts } from './turn-servers.ts';

type McpAgentTool = Extract<AgentTool, { type: 'mcp' }>;

/** Most tools of MCP servers that one turn has. */
const MOST_TOOLS = 512;

/** The tools of MCP servers. A turn has those of the lists that it began with, once `open` has resolved for it. */
export class McpTools {
  readonly #parts: ListParts;
  readonly #servers: TurnServers;
  readonly #ofScope = new WeakMap<ToolScope, ReadonlyMap<string, GivenTool>>();

  constructor(parts: McpParts) {
    const pool = new ConnectionPool(parts);
    this.#parts = { ...parts, pool, opener: new ServerOpener(parts.secrets) };
    this.#servers = new TurnServers(this.#parts);
  }

  /**
   * Finds the tools of a turn that is about to run, and what has changed since they were last asked for. Throws
   * `RetryableError` while the store is unavailable, and the signal's reason.
   */
  async open(scope: ToolScope, context: TurnContext): Promise<ToolsChanged[]> {
    const named = scope.agent.tools.filter((tool) => tool.type === 'mcp');
    if (named.length === 0) return [];
    const { servers, changes } = await this.#servers.open(scope, context);
    const given = new Map<string, GivenTool>();
    const taken = new Set(scope.agent.tools.flatMap((tool) => (tool.type === 'mcp' ? [] : [tool.name])));
    for (const each of named) {
      const server = servers.find(({ name }) => name === each.server);
      for (const tool of server === undefined ? [] : chosen(server, each)) {
        const name = shownName(each.server, tool.name, taken);
        if (server === undefined || taken.has(name) || given.size >= MOST_TOOLS) continue;
        taken.add(name);
        const plan = planOfTool(tool, server.config, each.overrides);
        const open = () => this.#parts.opener.open(scope.tenantId, server);
        const listChanged = () => this.#parts.lists.expireList(scope.tenantId, server.id);
        const parts = { ...this.#parts, listChanged };
        const called = { server, tool, plan, open, parts };
        given.set(name, givenMcpTool(name, called, scope.tenantId, each.defer_loading === true));
      }
    }
    this.#ofScope.set(scope, given);
    return changes;
  }

  /** Those of a turn that `open` was called for, by the names that the model is shown. */
  of(scope: ToolScope): ReadonlyMap<string, GivenTool> {
    return this.#ofScope.get(scope) ?? NONE;
  }

  close(): Promise<void> {
    return this.#parts.pool.close();
  }
}

const NONE: ReadonlyMap<string, GivenTool> = new Map();

/** The server's tools that the agent has. */
function chosen({ tools }: TurnServer, { tools: wanted }: McpAgentTool): readonly McpListedTool[] {
  return wanted === undefined ? tools : tools.filter(({ name }) => wanted.includes(name));
}

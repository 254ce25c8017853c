import { setTimeout as delay } from 'node:timers/promises';
import { compareLists } from '@turnpike/contract';
import { StdioServer, type StdioServerSettings, type StdioTool } from '@turnpike/tools';
import type { CallGuard } from '@turnpike/egress';
import type { InputSchemas } from '@turnpike/tools';
import type { Logger } from '@turnpike/telemetry';
import { describeFailure } from '@turnpike/tools';
import type { McpServerDefinition } from '../define-mcp-server.ts';

const FIRST_WAIT_MS = 1_000;
const MOST_WAIT_MS = 60_000;
/** A server that says again and again that its tools have changed is asked this often. */
const LEAST_LIST_MS = 5_000;
const MOST_LOGGED = 20;

interface Parts {
  guard: CallGuard;
  schemas: InputSchemas;
  logger: Logger;
}

/**
 * The MCP servers of the worker's own code. Each is started once for its list of tools, and then when it is called. One
 * that does not start is tried again: until then this worker has not its tools.
 */
export class OwnMcpServers {
  readonly #servers: readonly StdioServer[];
  readonly #tools = new Map<string, readonly StdioTool[]>();
  readonly #listing = new Set<string>();
  readonly #stop = new AbortController();
  readonly #logger: Logger;
  #onChange: () => void = () => undefined;

  constructor(definitions: readonly McpServerDefinition[], parts: Parts) {
    this.#logger = parts.logger;
    this.#servers = definitions.map((definition) => {
      const server: StdioServer = new StdioServer(settingsOf(definition), parts, () => {
        void this.#list(server, LEAST_LIST_MS);
      });
      return server;
    });
  }

  /** Of all servers that have given a list. */
  get tools(): readonly StdioTool[] {
    return [...this.#tools.values()].flat();
  }

  /** Asks all servers for their tools, and tells of each list that is new. Resolves when each was asked once. */
  async start(onChange: () => void): Promise<void> {
    this.#onChange = onChange;
    await Promise.all(
      this.#servers.map(async (server) => {
        if (!(await this.#tryList(server))) void this.#list(server, FIRST_WAIT_MS);
      }),
    );
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  /** Tries until there is a list. */
  async #list(server: StdioServer, firstWaitMs: number): Promise<void> {
    if (this.#listing.has(server.name)) return;
    this.#listing.add(server.name);
    try {
      for (let waitMs = firstWaitMs; ; waitMs = Math.min(MOST_WAIT_MS, waitMs * 2)) {
        await delay(waitMs, undefined, { ref: false, signal: this.#stop.signal });
        if (await this.#tryList(server)) return;
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      this.#listing.delete(server.name);
    }
  }

  async #tryList(server: StdioServer): Promise<boolean> {
    try {
      const tools = await server.list(this.#logger);
      const known = this.#tools.get(server.name);
      if (known !== undefined && hashesOf(known) === hashesOf(tools)) return true;
      if (known !== undefined) {
        const { added, changed, removed } = compareLists(known, tools);
        const fields = {
          mcp_server: server.name,
          added: added.slice(0, MOST_LOGGED),
          changed: changed.slice(0, MOST_LOGGED),
          removed: removed.slice(0, MOST_LOGGED),
        };
        this.#logger.warn('The tools of an MCP server of this worker have changed.', fields);
      }
      this.#tools.set(server.name, tools);
      this.#onChange();
      return true;
    } catch (error) {
      const fields = { mcp_server: server.name, ...describeFailure(error) };
      this.#logger.warn('An MCP server of this worker did not list its tools; it is tried again.', fields);
      return false;
    }
  }
}

function hashesOf(tools: readonly StdioTool[]): string {
  return tools.map(({ hash }) => hash).join();
}

function settingsOf({ settings }: McpServerDefinition): StdioServerSettings {
  const { name, command, args = [], env = {}, cwd = null, tools = null } = settings;
  const { processes = 2, maxMemoryMb = 2_048, startTimeoutMs = 30_000 } = settings;
  const maxMemoryBytes = maxMemoryMb * 1_048_576;
  const overrides = Object.entries(settings.overrides ?? {}).map(([tool, override]) => [
    tool,
    {
      effect: override.effect,
      requires_approval: override.approval,
      on_unknown: override.onUnknown,
      timeout_ms: override.timeoutMs,
    },
  ]);
  const calls = {
    annotations: settings.annotations,
    effect: settings.effect,
    requires_approval: settings.approval,
    on_unknown: settings.onUnknown,
    timeout_ms: settings.timeoutMs,
    max_output_bytes: settings.maxOutputBytes,
    overrides: Object.fromEntries(overrides),
  };
  return { name, command, args, env, cwd, tools, processes, maxMemoryBytes, startTimeoutMs, calls };
}

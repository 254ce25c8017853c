import { createHash } from 'node:crypto';
import {
  mcpServerConfigSchema,
  shownName,
  type Effect,
  type InputSchema,
  type McpListedTool,
  type McpServerConfig,
  type OnUnknown,
} from '@turnpike/contract';
import type { GivenTool } from '../given-tool.ts';
import { limitCall } from '../limit-call.ts';
import { limitsSchema } from '../limits.ts';
import type { CallParts } from './call-parts.ts';
import { givenMcpTool } from './given-mcp-tool.ts';
import { listTools } from './list-tools.ts';
import type { McpParts } from './mcp-parts.ts';
import type { OpenedServer } from './open-server.ts';
import { planOfTool } from './plan-of-tool.ts';
import { StdioConnections, type StdioCommand } from './stdio-connections.ts';

/** A server that the worker starts, and how its tools are treated. */
export interface StdioServerSettings extends StdioCommand {
  /** Those of its tools that there are; null: all. */
  tools: readonly string[] | null;
  /** The fields of `McpServerConfig` that say how calls are treated. Those that are undefined have their defaults. */
  calls: Readonly<Record<string, unknown>>;
}

/** A tool of such a server, as a tool in code. */
export interface StdioTool {
  name: string;
  description: string;
  inputSchema: InputSchema;
  effect: Effect;
  onUnknown: OnUnknown;
  timeoutMs: number;
  /** Of all of the above. */
  hash: string;
  given: GivenTool;
}

/** What a server says in its environment is shown to nobody. */
const LEAST_HIDDEN_CHARACTERS = 8;
/** Whose time it is to check inputs: the operator's. */
const OWNER = 'operator';

/** A server of the worker's own, with its processes. */
export class StdioServer {
  readonly name: string;
  readonly #settings: StdioServerSettings;
  readonly #connections: StdioConnections;
  readonly #parts: CallParts;
  readonly #opened: OpenedServer;
  readonly #config: McpServerConfig;

  /** `onToolsChanged`: the server says that its tools have changed. */
  constructor(
    settings: StdioServerSettings,
    { guard, schemas, logger }: Pick<McpParts, 'guard' | 'schemas' | 'logger'>,
    onToolsChanged: () => void,
  ) {
    const { name, env, calls } = settings;
    this.name = name;
    this.#settings = settings;
    this.#connections = new StdioConnections(settings, logger);
    const hidden = Object.values(env).filter((value) => value.length >= LEAST_HIDDEN_CHARACTERS);
    this.#opened = { id: `code ${name}`, name, url: '', headers: {}, auth: null, hidden, fingerprint: name };
    // Of the configuration of a server that is reached by HTTP, all but how it is reached.
    this.#config = mcpServerConfigSchema.parse({ url: 'http://stdio.invalid/', ...calls });
    this.#parts = {
      guard,
      schemas,
      pool: this.#connections,
      limits: limitsSchema.parse({}),
      listChanged: async () => onToolsChanged(),
    };
  }

  /** Starts the server where it does not run, and asks for its tools. Throws what that throws. */
  async list(logger: McpParts['logger']): Promise<StdioTool[]> {
    const timeoutMs = this.#settings.startTimeoutMs;
    const limit = limitCall(new AbortController().signal, timeoutMs);
    limit.ended.catch(() => undefined);
    const owner = { tenantId: OWNER, sessionId: '' };
    try {
      const take = { signal: limit.signal, timeoutMs };
      const connection = await this.#connections.take(this.#opened, owner, take);
      try {
        const asking = { name: this.name, owner: OWNER, signal: limit.signal, timeoutMs };
        const { tools } = await listTools(connection, asking, { schemas: this.#parts.schemas, logger });
        this.#connections.giveBack(connection);
        return this.#named(tools);
      } catch (error) {
        this.#connections.discard(connection);
        throw error;
      }
    } finally {
      limit.release();
    }
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  #named(listed: readonly McpListedTool[]): StdioTool[] {
    const { tools: wanted } = this.#settings;
    return listed
      .filter(({ name }) => wanted === null || wanted.includes(name))
      .map((tool) => {
        const name = shownName(this.name, tool.name, new Set());
        const plan = planOfTool(tool, this.#config);
        const server = { id: this.#opened.id, name: this.name, config: this.#config, tools: listed };
        const open = async (): Promise<OpenedServer> => this.#opened;
        const given = givenMcpTool(name, { server, tool, plan, open, parts: this.#parts }, OWNER);
        const { description, input_schema: inputSchema } = given.declaration;
        const told = { name, description, inputSchema, effect: plan.effect, onUnknown: plan.onUnknown };
        const hash = createHash('sha256')
          .update(JSON.stringify([told, plan]))
          .digest('hex');
        return { ...told, timeoutMs: plan.timeoutMs, hash, given };
      });
  }
}

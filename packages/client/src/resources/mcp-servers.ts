import type {
  acceptMcpToolsSchema,
  createMcpServerSchema,
  mcpToolListSchema,
  McpServer,
  updateMcpServerSchema,
} from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input, Output } from '../wire/shapes.ts';

/** MCP servers whose tools your agents have. */
export class McpServers {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(server: Input<typeof createMcpServerSchema>, options?: WriteOptions): Promise<McpServer> {
    return this.#transport.call({ method: 'POST', path: '/v1/mcp_servers', body: server }, options);
  }

  get(id: string, options?: CallOptions): Promise<McpServer> {
    return this.#transport.call({ method: 'GET', path: path`/v1/mcp_servers/${id}` }, options);
  }

  list(query: PageQuery = {}, options: CallOptions = {}): Pages<McpServer> {
    return new Pages(this.#transport, '/v1/mcp_servers', { ...query }, options);
  }

  /** Replaces the whole configuration; the name does not change. */
  update(
    id: string,
    server: Input<typeof updateMcpServerSchema>,
    options?: WriteOptions,
  ): Promise<McpServer> {
    return this.#transport.call({ method: 'POST', path: path`/v1/mcp_servers/${id}`, body: server }, options);
  }

  /** The tools that the server listed last; none before a turn has asked for them. */
  tools(id: string, options?: CallOptions): Promise<Output<typeof mcpToolListSchema>> {
    return this.#transport.call({ method: 'GET', path: path`/v1/mcp_servers/${id}/tools` }, options);
  }

  /** Lets agents have the new and changed tools of a list. Throws `mcp_tools_changed` if it is another by now. */
  acceptTools(
    id: string,
    accepted: Input<typeof acceptMcpToolsSchema>,
    options?: WriteOptions,
  ): Promise<McpServer> {
    const address = path`/v1/mcp_servers/${id}/accept_tools`;
    return this.#transport.call({ method: 'POST', path: address, body: accepted }, options);
  }

  /** Throws `mcp_server_in_use` if agents have its tools. With `force` it is deleted, and calls of them fail. */
  delete(id: string, { force, ...options }: CallOptions & { force?: boolean } = {}): Promise<void> {
    const query = force === undefined ? {} : { force: String(force) };
    return this.#transport.call({ method: 'DELETE', path: path`/v1/mcp_servers/${id}`, query }, options);
  }
}

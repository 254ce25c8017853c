import type {
  CodeTool,
  createdToolSchema,
  createToolSchema,
  Tool,
  updateToolSchema,
} from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input, Output, ShownOnce } from '../wire/shapes.ts';

export type CreatedTool = ShownOnce<Output<typeof createdToolSchema>, 'signing_secret'>;

/** Your HTTP tools, and the tools that workers' code defines, which only `get` and `list` have. */
export class Tools {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(tool: Input<typeof createToolSchema>, options?: WriteOptions): Promise<CreatedTool> {
    return this.#transport.call({ method: 'POST', path: '/v1/tools', body: tool }, options);
  }

  get(id: string, options?: CallOptions): Promise<Tool | CodeTool> {
    return this.#transport.call({ method: 'GET', path: path`/v1/tools/${id}` }, options);
  }

  list(query: PageQuery = {}, options: CallOptions = {}): Pages<Tool | CodeTool> {
    return new Pages(this.#transport, '/v1/tools', { ...query }, options);
  }

  /** Replaces the whole configuration; name and signing secret do not change. */
  update(id: string, tool: Input<typeof updateToolSchema>, options?: WriteOptions): Promise<Tool> {
    return this.#transport.call({ method: 'POST', path: path`/v1/tools/${id}`, body: tool }, options);
  }

  /** Throws `tool_in_use` if agents use the tool. With `force` it is deleted, and their turns fail. */
  delete(id: string, { force, ...options }: CallOptions & { force?: boolean } = {}): Promise<void> {
    const query = force === undefined ? {} : { force: String(force) };
    return this.#transport.call({ method: 'DELETE', path: path`/v1/tools/${id}`, query }, options);
  }
}

import type { Agent, createAgentSchema, updateAgentSchema } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input } from '../wire/shapes.ts';

/** Named, versioned configurations. */
export class Agents {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(agent: Input<typeof createAgentSchema>, options?: WriteOptions): Promise<Agent> {
    return this.#transport.call({ method: 'POST', path: '/v1/agents', body: agent }, options);
  }

  /** The newest version, unless `version` is given. */
  get(id: string, { version, ...options }: CallOptions & { version?: number } = {}): Promise<Agent> {
    const query = { version };
    return this.#transport.call({ method: 'GET', path: path`/v1/agents/${id}`, query }, options);
  }

  /** Newest first. */
  list(query: PageQuery = {}, options: CallOptions = {}): Pages<Agent> {
    return new Pages(this.#transport, '/v1/agents', { ...query }, options);
  }

  /**
   * Changes the given fields; `null` resets a field to its default. Creates a new version, unless nothing changed.
   * Accepted turns keep their version. With `if_version`, throws `agent_changed` if there is a newer version.
   */
  update(id: string, change: Input<typeof updateAgentSchema>, options?: WriteOptions): Promise<Agent> {
    return this.#transport.call({ method: 'POST', path: path`/v1/agents/${id}`, body: change }, options);
  }

  /** All versions, newest first. */
  versions(id: string, query: PageQuery = {}, options: CallOptions = {}): Pages<Agent> {
    return new Pages(this.#transport, path`/v1/agents/${id}/versions`, { ...query }, options);
  }

  /** Creates a new version with the configuration of an earlier one. */
  restore(id: string, version: number, options?: WriteOptions): Promise<Agent> {
    const to = path`/v1/agents/${id}/versions/${String(version)}/restore`;
    return this.#transport.call({ method: 'POST', path: to }, options);
  }

  /** Accepted turns continue to run. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/agents/${id}` }, options);
  }
}

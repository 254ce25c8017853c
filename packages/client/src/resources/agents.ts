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

  /** At its newest version, unless another one is named. */
  get(id: string, { version, ...options }: CallOptions & { version?: number } = {}): Promise<Agent> {
    const query = { version };
    return this.#transport.call({ method: 'GET', path: path`/v1/agents/${id}`, query }, options);
  }

  /** Newest first. */
  list(query: PageQuery = {}, options: CallOptions = {}): Pages<Agent> {
    return new Pages(this.#transport, '/v1/agents', { ...query }, options);
  }

  /**
   * Changes what is given; `null` sets a field back to its default. Makes a new version, unless nothing changed;
   * turns that were accepted keep theirs. With `if_version`, throws `agent_changed` where there is a newer one.
   */
  update(id: string, change: Input<typeof updateAgentSchema>, options?: WriteOptions): Promise<Agent> {
    return this.#transport.call({ method: 'POST', path: path`/v1/agents/${id}`, body: change }, options);
  }

  /** The agent as it was at each of its versions, newest first. */
  versions(id: string, query: PageQuery = {}, options: CallOptions = {}): Pages<Agent> {
    return new Pages(this.#transport, path`/v1/agents/${id}/versions`, { ...query }, options);
  }

  /** Makes the agent what it was at an earlier version, as a new version. */
  restore(id: string, version: number, options?: WriteOptions): Promise<Agent> {
    const to = path`/v1/agents/${id}/versions/${String(version)}/restore`;
    return this.#transport.call({ method: 'POST', path: to }, options);
  }

  /** Turns that were accepted run on. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/agents/${id}` }, options);
  }
}

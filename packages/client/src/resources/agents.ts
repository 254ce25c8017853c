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

  get(id: string, options?: CallOptions): Promise<Agent> {
    return this.#transport.call({ method: 'GET', path: path`/v1/agents/${id}` }, options);
  }

  /** Newest first. */
  list(query: PageQuery = {}, options: CallOptions = {}): Pages<Agent> {
    return new Pages(this.#transport, '/v1/agents', { ...query }, options);
  }

  /** A new version, the whole configuration again; turns that were accepted keep theirs. */
  update(id: string, agent: Input<typeof updateAgentSchema>, options?: WriteOptions): Promise<Agent> {
    return this.#transport.call({ method: 'POST', path: path`/v1/agents/${id}`, body: agent }, options);
  }

  /** Turns that were accepted run on. */
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/agents/${id}` }, options);
  }
}

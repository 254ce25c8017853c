import type { OperatorTenant, Worker, WorkerPool } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';

export type { OperatorTenant, Worker, WorkerPool };

export interface OperatorTenantQuery extends PageQuery {
  /** An id, or a part of a name. */
  search?: string | undefined;
  /** Only those that are paused. */
  paused?: true | undefined;
}

export interface WorkerQuery extends PageQuery {
  pool?: string | undefined;
}

/** All tenants and workers of an installation. Requires a key with the scope `operator`, which `turnpike keys create` makes. */
export class Operator {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Newest first, with their turns that run and wait. */
  tenants({ paused, ...query }: OperatorTenantQuery = {}, options: CallOptions = {}): Pages<OperatorTenant> {
    const asked = paused === undefined ? query : { ...query, paused: 'true' };
    return new Pages(this.#transport, '/v1/operator/tenants', { ...asked }, options);
  }

  tenant(id: string, options?: CallOptions): Promise<OperatorTenant> {
    return this.#transport.call({ method: 'GET', path: path`/v1/operator/tenants/${id}` }, options);
  }

  /** Its turns wait until it is resumed. Those that run go on. */
  pauseTenant(id: string, options?: WriteOptions): Promise<OperatorTenant> {
    return this.#transport.call({ method: 'POST', path: path`/v1/operator/tenants/${id}/pause` }, options);
  }

  resumeTenant(id: string, options?: WriteOptions): Promise<OperatorTenant> {
    return this.#transport.call({ method: 'POST', path: path`/v1/operator/tenants/${id}/resume` }, options);
  }

  async pools(options?: CallOptions): Promise<WorkerPool[]> {
    const { items }: { items: WorkerPool[] } = await this.#transport.call(
      { method: 'GET', path: '/v1/operator/pools' },
      options,
    );
    return items;
  }

  /** Turns for it wait until it is resumed. Those that run go on. */
  pausePool(name: string, options?: WriteOptions): Promise<WorkerPool> {
    return this.#transport.call({ method: 'POST', path: path`/v1/operator/pools/${name}/pause` }, options);
  }

  resumePool(name: string, options?: WriteOptions): Promise<WorkerPool> {
    return this.#transport.call({ method: 'POST', path: path`/v1/operator/pools/${name}/resume` }, options);
  }

  /** Workers whose heartbeats come. */
  workers(query: WorkerQuery = {}, options: CallOptions = {}): Pages<Worker> {
    return new Pages(this.#transport, '/v1/operator/workers', { ...query }, options);
  }
}

import type { CallOptions, Transport } from '../transport.ts';
import type { Limits } from '../wire/limits.ts';
import type { UsageQuery, UsageReport } from '../wire/money.ts';

/** What was used. */
export class UsageReports {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Tokens, cost and turns, told apart by what `group_by` names. */
  get(query: UsageQuery = {}, options?: CallOptions): Promise<UsageReport> {
    return this.#transport.call({ method: 'GET', path: '/v1/usage', query: { ...query } }, options);
  }
}

/** What may be used. */
export class TenantLimits {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get(options?: CallOptions): Promise<Limits> {
    return this.#transport.call({ method: 'GET', path: '/v1/limits' }, options);
  }
}

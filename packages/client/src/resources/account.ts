import type {
  ModelSettings,
  putModelSettingsSchema,
  tenantLimitsSchema,
  UsageReport,
} from '../wire/contract.ts';
import type { CallOptions, Transport } from '../transport.ts';
import type { UsageQuery } from '../wire/money.ts';
import type { Input, Output } from '../wire/shapes.ts';

export type Limits = Output<typeof tenantLimitsSchema>;

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

/** Whose keys the model is called with, and where. */
export class ModelSettingsOfTenant {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get(options?: CallOptions): Promise<ModelSettings> {
    return this.#transport.call({ method: 'GET', path: '/v1/model_settings' }, options);
  }

  /** All of them: what is left out is as it was in the beginning. */
  put(settings: Input<typeof putModelSettingsSchema>, options?: CallOptions): Promise<ModelSettings> {
    return this.#transport.call({ method: 'PUT', path: '/v1/model_settings', body: settings }, options);
  }
}

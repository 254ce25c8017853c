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

/** Usage reports. */
export class UsageReports {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Tokens, cost and turns, grouped by `group_by`. */
  get(query: UsageQuery = {}, options?: CallOptions): Promise<UsageReport> {
    return this.#transport.call({ method: 'GET', path: '/v1/usage', query: { ...query } }, options);
  }
}

/** The tenant's limits. */
export class TenantLimits {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get(options?: CallOptions): Promise<Limits> {
    return this.#transport.call({ method: 'GET', path: '/v1/limits' }, options);
  }
}

/** The keys and the endpoint of model calls. */
export class TenantModelSettings {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get(options?: CallOptions): Promise<ModelSettings> {
    return this.#transport.call({ method: 'GET', path: '/v1/model_settings' }, options);
  }

  /** Replaces all settings. Omitted ones are reset to their defaults. */
  put(settings: Input<typeof putModelSettingsSchema>, options?: CallOptions): Promise<ModelSettings> {
    return this.#transport.call({ method: 'PUT', path: '/v1/model_settings', body: settings }, options);
  }
}

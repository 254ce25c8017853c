import { createGuardedFetch, createUpstreamFetch, type EgressPolicy } from '@turnpike/egress';
import { LRUCache } from 'lru-cache';
import type { CloudSettings } from './clouds/cloud-settings.ts';
import { connectCloud } from './clouds/connect-cloud.ts';
import { connectModelApi } from './connect-model-api.ts';
import type { ModelLimits } from './limits.ts';
import type { ModelApi } from './model-api.ts';

/** Clients of tenants' addresses that are cached. They hold no connections: those are limited separately. */
const MAX_CLIENTS = 500;
/** Of one response of an address that a tenant chose. The longest of a model have about 20 MB of events. */
const MAX_BYTES = 32 * 1024 * 1024;

/** The addresses of model APIs: the operator's own, and those that tenants chose. */
export class ModelEndpoints {
  /** The Messages API for tenants' keys, and for the operator's. */
  readonly operator: ModelApi;
  /** For the operator's own calls, where these go by a cloud. */
  readonly cloud: ModelApi | null;
  readonly #upstream: ReturnType<typeof createUpstreamFetch>;
  readonly #guarded: ReturnType<typeof createGuardedFetch>;
  readonly #limits: ModelLimits;
  readonly #chosen = new LRUCache<string, ModelApi>({ max: MAX_CLIENTS });

  /** `egress` says which addresses tenants may choose. Throws for an invalid policy. */
  constructor(
    operatorBaseUrl: string,
    egress: EgressPolicy,
    limits: ModelLimits,
    cloud: CloudSettings | undefined,
  ) {
    const { connectTimeoutMs, idleTimeoutMs } = limits;
    this.#limits = limits;
    this.#upstream = createUpstreamFetch({ connectTimeoutMs, idleTimeoutMs });
    this.#guarded = createGuardedFetch({
      maxResponseBytes: MAX_BYTES,
      ...egress,
      connectTimeoutMs,
      idleTimeoutMs,
    });
    this.operator = connectModelApi(operatorBaseUrl, this.#upstream.fetch, limits);
    this.cloud = cloud === undefined ? null : connectCloud(cloud, this.#upstream.fetch, limits);
  }

  /** The API at an address that a tenant chose: every connection to it is guarded. */
  at(baseUrl: string): ModelApi {
    const known = this.#chosen.get(baseUrl);
    if (known !== undefined) return known;
    const api = connectModelApi(baseUrl, this.#guarded.fetch, this.#limits);
    this.#chosen.set(baseUrl, api);
    return api;
  }

  /** Ends requests in progress and closes idle connections. */
  async close(): Promise<void> {
    await Promise.all([this.#upstream.close(), this.#guarded.close()]);
  }
}

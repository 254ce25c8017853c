import { createGuardedFetch, createUpstreamFetch, type EgressPolicy } from '@turnpike/egress';
import { LRUCache } from 'lru-cache';
import { connectModelApi, type ModelApi } from './connect-model-api.ts';
import type { ModelLimits } from './limits.ts';

/** Clients of tenants' addresses that are kept at once. They hold no connection: those are bounded apart. */
const MOST_CLIENTS = 500;
/** Of one answer of an address that a tenant chose. The longest that a model gives are about 20 MB of events. */
const MOST_BYTES = 32 * 1024 * 1024;

/** Where the model is called: the operator's own address, and those that tenants chose. */
export class ModelEndpoints {
  readonly operator: ModelApi;
  readonly #upstream: ReturnType<typeof createUpstreamFetch>;
  readonly #guarded: ReturnType<typeof createGuardedFetch>;
  readonly #limits: ModelLimits;
  readonly #chosen = new LRUCache<string, ModelApi>({ max: MOST_CLIENTS });

  /** `egress` is what tenants' addresses may be. Throws for a policy that cannot be read. */
  constructor(operatorBaseUrl: string, egress: EgressPolicy, limits: ModelLimits) {
    const { connectTimeoutMs, idleTimeoutMs } = limits;
    this.#limits = limits;
    this.#upstream = createUpstreamFetch({ connectTimeoutMs, idleTimeoutMs });
    this.#guarded = createGuardedFetch({
      maxResponseBytes: MOST_BYTES,
      ...egress,
      connectTimeoutMs,
      idleTimeoutMs,
    });
    this.operator = connectModelApi(operatorBaseUrl, this.#upstream.fetch, limits);
  }

  /** The API at an address that a tenant chose: every connection to it is guarded. */
  at(baseUrl: string): ModelApi {
    const known = this.#chosen.get(baseUrl);
    if (known !== undefined) return known;
    const api = connectModelApi(baseUrl, this.#guarded.fetch, this.#limits);
    this.#chosen.set(baseUrl, api);
    return api;
  }

  /** Ends what is under way and closes the kept connections. */
  async close(): Promise<void> {
    await Promise.all([this.#upstream.close(), this.#guarded.close()]);
  }
}

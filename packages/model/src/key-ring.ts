import { setTimeout as delay } from 'node:timers/promises';
import type { BaseAnthropic } from '@anthropic-ai/sdk/client';
import { ModelError, RetryableError, TerminalError, type TokenCount } from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import type { Failure } from './classify-error.ts';
import type { ModelApi, RequestKey } from './model-api.ts';
import type { KeyValue, KeyValues } from './key-values.ts';
import type { KeyCooldowns } from './key-cooldowns.ts';
import type { ModelEndpoints } from './model-endpoints.ts';

/** One key, and the API that it is sent to. */
export interface ModelKey extends RequestKey {
  /** The name of the tenant's secret; null for the operator's key. */
  name: string | null;
  /** Identifies it to circuit breakers and cooldowns: tenant, model, origin and key, and nothing of the key's value. */
  id: string;
  api: ModelApi;
  /** The SDK of that API. */
  client: BaseAnthropic;
}

/** With what the operator's own calls are made, and where. */
export type OperatorKey = Pick<ModelKey, 'api' | 'secret'>;

export interface KeyParts {
  /** Null where the operator has none. */
  operatorKey: OperatorKey | null;
  values: KeyValues;
  cooldowns: KeyCooldowns;
  endpoints: ModelEndpoints;
  guard: CallGuard;
}

/** The key to use now, and for how long it should not be used: 0 where it may work. */
export interface Choice {
  key: ModelKey;
  waitMs: number;
}

/** Why a key is skipped: there is no such secret, it cannot be read, or it may not be sent to the model's host. */
type SkipReason = 'missing' | 'unreadable' | 'refused';

/** Reading a key may take so long. */
const READ_MS = 10_000;

/** The keys that one call may use, the preferred one first. A value is read when it is needed, not before. */
export class KeyRing {
  readonly #parts: KeyParts;
  readonly #call: TokenCount;
  readonly #names: readonly string[];
  readonly #mayUseOperatorKey: boolean;
  /** Ids of keys that failed in this call. */
  readonly #failed = new Set<string>();
  /** By name; each is logged once. */
  readonly #skipped = new Map<string, SkipReason>();

  constructor(parts: KeyParts, call: TokenCount) {
    const { access, agent } = call.request;
    this.#parts = parts;
    this.#call = call;
    this.#names = agent.model_keys ?? access.keys;
    // A tenant that chose an endpoint for its conversations is served there alone, and the operator's key is sent to
    // the operator's endpoint alone.
    this.#mayUseOperatorKey = access.operatorKey && access.baseUrl === null;
  }

  /**
   * The first key that may work now, else the one with the shortest wait. Throws ModelError `model_key_missing`, `model_key_unreadable` or `model_key_refused` where there is none, and KeysUnavailableError.
   */
  async choose(signal: AbortSignal): Promise<Choice> {
    const { cooldowns, guard } = this.#parts;
    const others: (Choice & { usefulInMs: number })[] = [];
    for await (const key of this.#keys(signal)) {
      const openMs = guard.openForMs(key.id);
      const waitMs = Math.max(cooldowns.cooldownMs(key.id), openMs);
      if (waitMs === 0) return { key, waitMs };
      others.push({ key, waitMs, usefulInMs: Math.max(cooldowns.waitMs(key.id), openMs) });
    }
    // Keys that were refused have an infinite wait: of those, the one whose refusal is oldest.
    const [soonest] = others.toSorted((a, b) =>
      a.usefulInMs === b.usefulInMs ? a.waitMs - b.waitMs : a.usefulInMs - b.usefulInMs,
    );
    if (soonest === undefined) throw this.#noKey();
    return soonest;
  }

  /**
   * Milliseconds until one of the keys may work, by the `retry-after` of the API and by the circuit breakers.
   * Infinite where all of them were refused. Throws as `choose` does.
   */
  async shortestWaitMs(signal: AbortSignal): Promise<number> {
    let shortest = Infinity;
    for await (const key of this.#keys(signal)) {
      const waitMs = Math.max(this.#parts.cooldowns.waitMs(key.id), this.#parts.guard.openForMs(key.id));
      shortest = Math.min(shortest, waitMs);
    }
    return shortest;
  }

  /** Records that a key failed, for later calls; one that was refused may have been replaced meanwhile. */
  recordFailure(key: ModelKey, failure: Failure): void {
    this.#failed.add(key.id);
    this.#parts.cooldowns.start(key.id, failure);
    const isRefused = failure.code === 'model_authentication' || failure.code === 'model_permission';
    if (isRefused && key.name !== null) {
      const { tenantId } = this.#call.turn;
      this.#parts.values.delete({ tenantId, name: key.name, origin: key.api.origin });
    }
  }

  /** Whether a key failed in this call. */
  hasFailed(key: ModelKey): boolean {
    return this.#failed.has(key.id);
  }

  /** Records that a key works. */
  recordSuccess(key: ModelKey): void {
    this.#parts.cooldowns.clear(key.id);
  }

  async *#keys(signal: AbortSignal): AsyncGenerator<ModelKey> {
    const { access, agent } = this.#call.request;
    const { tenantId } = this.#call.turn;
    const { endpoints, operatorKey } = this.#parts;
    const idOf = (api: ModelApi, key: string): string => `${tenantId}:${agent.model} ${api.origin} ${key}`;
    const api = access.baseUrl === null ? endpoints.operator : endpoints.at(access.baseUrl);
    for (const name of this.#names) {
      const value = await this.#read(name, api.origin, signal);
      if (value === null) continue;
      const { secret, fingerprint } = value;
      yield { name, id: idOf(api, fingerprint), secret, auth: access.auth, api, client: await api.connect() };
    }
    if (!this.#mayUseOperatorKey || operatorKey === null) return;
    const { secret, api: own } = operatorKey;
    const client = await this.#connect(own, signal);
    yield { name: null, id: idOf(own, 'operator'), secret, auth: 'bearer', api: own, client };
  }

  /** Throws KeysUnavailableError where the credentials of a cloud cannot be had now. */
  async #connect(api: ModelApi, signal: AbortSignal): Promise<BaseAnthropic> {
    const client = api.connect();
    if (!(client instanceof Promise)) return client;
    try {
      return await within(READ_MS, signal, client);
    } catch (error) {
      signal.throwIfAborted();
      throw new KeysUnavailableError(error);
    }
  }

  async #read(name: string, origin: string, signal: AbortSignal): Promise<KeyValue | null> {
    const { values } = this.#parts;
    const { tenantId } = this.#call.turn;
    try {
      const value = await within(READ_MS, signal, values.read({ tenantId, name, origin }));
      if (value === null) this.#skip(name, 'missing');
      return value;
    } catch (error) {
      signal.throwIfAborted();
      // A terminal error is this key's alone; the other keys may work.
      if (!(error instanceof TerminalError)) throw new KeysUnavailableError(error);
      this.#skip(name, error.code === 'secret_refused' ? 'refused' : 'unreadable', error);
      return null;
    }
  }

  #skip(name: string, reason: SkipReason, error?: unknown): void {
    if (this.#skipped.has(name)) return;
    this.#skipped.set(name, reason);
    const fields = { model_key: name, reason };
    this.#call.turn.logger.warn('Model key skipped.', error === undefined ? fields : { ...fields, error });
  }

  #noKey(): ModelError {
    const namesThatAre = (wanted: SkipReason): string[] =>
      [...this.#skipped].filter(([, reason]) => reason === wanted).map(([name]) => name);
    const [unreadable, refused] = [namesThatAre('unreadable'), namesThatAre('refused')];
    const facts = { terminal: true, attempts: 0, providerRequestId: null };
    if (refused.length > 0) {
      const message = `The secret ${refused.join(', ')} is not sent to the model: its allowed_hosts does not name that host. Store it with PUT /v1/secrets/{name}, and name it there.`;
      return new ModelError('model_key_refused', message, facts);
    }
    if (unreadable.length > 0) {
      const message = `The secret ${unreadable.join(', ')} cannot be used as a model key. Store it again with PUT /v1/secrets/{name}.`;
      return new ModelError('model_key_unreadable', message, facts);
    }
    const missing = this.#names.join(', ');
    const message =
      this.#names.length === 0
        ? 'There is no model key. Store one with PUT /v1/secrets/{name}, and name it with PUT /v1/model_settings.'
        : `There is no secret ${missing}, which is to be the model key. Store it with PUT /v1/secrets/{name}, or name another.`;
    return new ModelError('model_key_missing', message, facts);
  }
}

/** The key provider is unavailable: worth trying again. */
export class KeysUnavailableError extends RetryableError {
  constructor(cause: unknown) {
    super('model_keys_unavailable', 'The model keys cannot be read now.', undefined, cause);
  }
}

/** The result of `work`. Throws once it took too long or the signal aborts; the work itself may go on. */
async function within<Result>(limitMs: number, signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  const done = new AbortController();
  const limit = AbortSignal.any([signal, done.signal]);
  const expiry = delay(limitMs, undefined, { signal: limit }).then(() => {
    throw new Error('Reading the key took too long.');
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    done.abort();
    expiry.catch(() => undefined);
    work.catch(() => undefined);
  }
}

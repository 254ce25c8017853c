import { setTimeout as delay } from 'node:timers/promises';
import {
  ModelError,
  RetryableError,
  TerminalError,
  type ModelAuth,
  type ModelRequest,
} from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import type { Logger, Secret } from '@turnpike/telemetry';
import type { Failure } from './classify-error.ts';
import type { ModelApi } from './connect-model-api.ts';
import type { KeyValue, KeyValues } from './key-values.ts';
import type { KeyCooldowns } from './key-cooldowns.ts';
import type { ModelEndpoints } from './model-endpoints.ts';

/** One key and the one place that it is sent to. */
export interface ModelKey {
  /** The name of the tenant's secret; null for the operator's key. */
  name: string | null;
  /** By what breakers and memory know it: tenant, model, origin and key, and nothing of the key's value. */
  id: string;
  secret: Secret;
  auth: ModelAuth;
  api: ModelApi;
}

export interface KeyParts {
  /** Null where the operator has none. */
  operatorKey: KeyValue | null;
  values: KeyValues;
  aside: KeyCooldowns;
  places: ModelEndpoints;
  guard: CallGuard;
  logger: Logger;
}

/** The key to use now, and for how long it had better be left alone: 0 where it may well work. */
export interface Choice {
  key: ModelKey;
  waitMs: number;
}

/** Why a name is of no use: there is no such secret, it cannot be read, or it may not be sent to the model's host. */
type Useless = 'missing' | 'unreadable' | 'refused';

/** Longer than this nobody waits for a key to be read. */
const READ_MS = 10_000;

/** The keys that one call may use, the preferred one first. Values are read when they are needed, not before. */
export class KeyRing {
  readonly #parts: KeyParts;
  readonly #request: ModelRequest;
  readonly #names: readonly string[];
  readonly #mayUseOperators: boolean;
  /** Those that failed in this call. */
  readonly #failed = new Set<string>();
  /** Why a name is of no use, told once. */
  readonly #useless = new Map<string, Useless>();

  constructor(parts: KeyParts, request: ModelRequest) {
    const { access, agent } = request;
    this.#parts = parts;
    this.#request = request;
    this.#names = agent.model_keys ?? access.keys;
    // Whoever chose a place for its conversations is not served at another one: the operator's key is for
    // the operator's place alone.
    this.#mayUseOperators = access.operatorKey && access.baseUrl === null;
  }

  /**
   * The first key that nothing speaks against, else the one that it is worth waiting for least. Throws ModelError
   * `model_key_missing`, `model_key_unreadable` or `model_key_refused` where there is none, and KeysUnavailableError.
   */
  async choose(signal: AbortSignal): Promise<Choice> {
    const { aside, guard } = this.#parts;
    const left: (Choice & { worthMs: number })[] = [];
    for await (const key of this.#keys(signal)) {
      const openMs = guard.openForMs(key.id);
      const waitMs = Math.max(aside.cooldownMs(key.id), openMs);
      if (waitMs === 0) return { key, waitMs };
      left.push({ key, waitMs, worthMs: Math.max(aside.waitMs(key.id), openMs) });
    }
    // Two that were refused are both never worth it: then the one whose refusal is older.
    const [soonest] = left.toSorted((a, b) =>
      a.worthMs === b.worthMs ? a.waitMs - b.waitMs : a.worthMs - b.worthMs,
    );
    if (soonest === undefined) throw this.#noKey();
    return soonest;
  }

  /**
   * Milliseconds after which a key may work that does not now, by what the API asked for and by the
   * breakers. Infinite where all of them were refused. Throws as `choose` does.
   */
  async shortestWaitMs(signal: AbortSignal): Promise<number> {
    let shortest = Infinity;
    for await (const key of this.#keys(signal)) {
      const waitMs = Math.max(this.#parts.aside.waitMs(key.id), this.#parts.guard.openForMs(key.id));
      shortest = Math.min(shortest, waitMs);
    }
    return shortest;
  }

  /** Remembers that a key failed, for calls to come; one that was refused may have been replaced meanwhile. */
  note(key: ModelKey, failure: Failure): void {
    this.#failed.add(key.id);
    this.#parts.aside.note(key.id, failure);
    const isRefused = failure.code === 'model_authentication' || failure.code === 'model_permission';
    if (isRefused && key.name !== null) {
      this.#parts.values.forget({ tenantId: this.#request.tenantId, name: key.name, origin: key.api.origin });
    }
  }

  /** Whether it is this call that a key failed in. */
  hasFailed(key: ModelKey): boolean {
    return this.#failed.has(key.id);
  }

  /** A key works. */
  clear(key: ModelKey): void {
    this.#parts.aside.clear(key.id);
  }

  async *#keys(signal: AbortSignal): AsyncGenerator<ModelKey> {
    const { access, agent, tenantId } = this.#request;
    const { places, operatorKey } = this.#parts;
    const idOf = (api: ModelApi, key: string): string => `${tenantId}:${agent.model} ${api.origin} ${key}`;
    const api = access.baseUrl === null ? places.operator : places.at(access.baseUrl);
    for (const name of this.#names) {
      const value = await this.#read(name, api.origin, signal);
      if (value === null) continue;
      const { secret, fingerprint } = value;
      yield { name, id: idOf(api, fingerprint), secret, auth: access.auth, api };
    }
    if (!this.#mayUseOperators || operatorKey === null) return;
    const { secret } = operatorKey;
    yield { name: null, id: idOf(places.operator, 'operator'), secret, auth: 'bearer', api: places.operator };
  }

  async #read(name: string, origin: string, signal: AbortSignal): Promise<KeyValue | null> {
    const { values } = this.#parts;
    const { tenantId } = this.#request;
    try {
      const value = await within(READ_MS, signal, values.read({ tenantId, name, origin }));
      if (value === null) this.#tell(name, 'missing');
      return value;
    } catch (error) {
      signal.throwIfAborted();
      // What does not open now never will; the other keys may.
      if (!(error instanceof TerminalError)) throw new KeysUnavailableError(error);
      this.#tell(name, error.code === 'secret_refused' ? 'refused' : 'unreadable', error);
      return null;
    }
  }

  #tell(name: string, why: Useless, error?: unknown): void {
    if (this.#useless.has(name)) return;
    this.#useless.set(name, why);
    const { tenantId, turnId, sessionId, epoch } = this.#request;
    const ids = { tenant_id: tenantId, turn_id: turnId, session_id: sessionId, epoch };
    const fields = { ...ids, model_key: name, why };
    this.#parts.logger.warn('model key left out', error === undefined ? fields : { ...fields, error });
  }

  #noKey(): ModelError {
    const namesThatAre = (given: Useless): string[] =>
      [...this.#useless].filter(([, why]) => why === given).map(([name]) => name);
    const [unreadable, refused] = [namesThatAre('unreadable'), namesThatAre('refused')];
    const facts = { terminal: true, attempts: 0, providerRequestId: null };
    if (refused.length > 0) {
      const words = `The secret ${refused.join(', ')} is not sent to the model: its allowed_hosts does not name that host. Store it with PUT /v1/secrets/{name}, and name it there.`;
      return new ModelError('model_key_refused', words, facts);
    }
    if (unreadable.length > 0) {
      const words = `The secret ${unreadable.join(', ')} cannot be used as a model key. Store it again with PUT /v1/secrets/{name}.`;
      return new ModelError('model_key_unreadable', words, facts);
    }
    const missing = this.#names.join(', ');
    const words =
      this.#names.length === 0
        ? 'There is no model key. Store one with PUT /v1/secrets/{name}, and name it with PUT /v1/model_settings.'
        : `There is no secret ${missing}, which is to be the model key. Store it with PUT /v1/secrets/{name}, or name another.`;
    return new ModelError('model_key_missing', words, facts);
  }
}

/** Whoever keeps the keys cannot be asked now: worth trying again. */
export class KeysUnavailableError extends RetryableError {
  constructor(cause: unknown) {
    super('model_keys_unavailable', 'The model keys cannot be read now.', undefined, cause);
  }
}

/** What `work` gives, or a throw once it took too long or the signal aborts; it may go on behind that. */
async function within<Result>(limitMs: number, signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  const done = new AbortController();
  const limit = AbortSignal.any([signal, done.signal]);
  const expiry = delay(limitMs, undefined, { signal: limit }).then(() => {
    throw new Error('It took too long.');
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    done.abort();
    expiry.catch(() => undefined);
    work.catch(() => undefined);
  }
}

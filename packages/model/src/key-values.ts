import { createHash } from 'node:crypto';
import { TerminalError, type SecretDestination } from '@turnpike/contract';
import { Secret } from '@turnpike/telemetry';
import { LRUCache } from 'lru-cache';

/** A tenant's secrets, read when they are used. May throw where the key provider is unavailable. */
export interface ModelSecrets {
  /**
   * Null where the tenant has no secret of this name. Throws a `TerminalError`, `secret_refused`, where it may not
   * be sent there.
   */
  read(tenantId: string, name: string, destination: SecretDestination): Promise<Secret | null>;
}

export interface KeyValue {
  secret: Secret;
  /** Distinguishes two values of one name, and reveals neither. */
  fingerprint: string;
}

/** One key, and the origin that it is sent to: a key may be allowed for one origin and not for another. */
export interface KeyOrigin {
  tenantId: string;
  name: string;
  origin: string;
}

const MOST_VALUES = 1_000;

/** Caches the values of tenants' keys. */
export class KeyValues {
  readonly #cache: LRUCache<string, KeyValue, KeyOrigin>;

  constructor(secrets: ModelSecrets, ttlMs: number) {
    this.#cache = new LRUCache({
      max: MOST_VALUES,
      ttl: ttlMs,
      // A value that is deleted while it is read is still a result of that read.
      ignoreFetchAbort: true,
      async fetchMethod(_key, _stale, { context: { tenantId, name, origin } }) {
        const secret = await secrets.read(tenantId, name, { url: origin, by: 'model' });
        return secret === null ? undefined : keyValue(secret);
      },
    });
  }

  /**
   * Null where there is no such secret. Throws `TerminalError` for one that is no key, or may not be sent there, and
   * what reading throws.
   */
  async read(key: KeyOrigin): Promise<KeyValue | null> {
    return (await this.#cache.fetch(textOf(key), { context: key })) ?? null;
  }

  /** The value is read again when it is next needed. */
  delete(key: KeyOrigin): void {
    this.#cache.delete(textOf(key));
  }

  clear(): void {
    this.#cache.clear();
  }
}

/**
 * The key as it is sent: without white space around it, which files and forms add.
 * Throws `TerminalError` where no header can carry it.
 */
export function keyValue(secret: Secret): KeyValue {
  const value = secret.reveal().trim();
  if (!/^[\x21-\x7e]{1,4096}$/.test(value)) {
    throw new TerminalError('model_key_unreadable', 'It contains characters that no header can carry.');
  }
  const fingerprint = createHash('sha256').update(value).digest('hex').slice(0, 16);
  return { secret: value === secret.reveal() ? secret : new Secret(value), fingerprint };
}

function textOf({ tenantId, name, origin }: KeyOrigin): string {
  return `${tenantId} ${name} ${origin}`;
}

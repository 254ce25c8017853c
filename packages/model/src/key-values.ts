import { createHash } from 'node:crypto';
import { TerminalError, type SecretDestination } from '@turnpike/contract';
import { Secret } from '@turnpike/telemetry';
import { LRUCache } from 'lru-cache';

/** A tenant's secrets, at the moment of use. May throw where whoever keeps them cannot be reached. */
export interface ModelSecrets {
  /**
   * Null where the tenant has no secret of this name. Throws a `TerminalError`, `secret_refused`, where it may not
   * be sent there.
   */
  read(tenantId: string, name: string, destination: SecretDestination): Promise<Secret | null>;
}

export interface KeyValue {
  secret: Secret;
  /** Tells two values of one name apart, and tells nothing of either. */
  fingerprint: string;
}

/** One key, and the origin that it is sent to: what may be sent to one, may not be for another. */
export interface KeyOrigin {
  tenantId: string;
  name: string;
  origin: string;
}

const MOST_VALUES = 1_000;

/** The values of tenants' keys, kept for a while so that not every request reads one. */
export class KeyValues {
  readonly #kept: LRUCache<string, KeyValue, KeyOrigin>;

  constructor(secrets: ModelSecrets, ttlMs: number) {
    this.#kept = new LRUCache({
      max: MOST_VALUES,
      ttl: ttlMs,
      // One that is forgotten while it is read is an answer all the same.
      ignoreFetchAbort: true,
      async fetchMethod(_place, _stale, { context: { tenantId, name, origin } }) {
        const secret = await secrets.read(tenantId, name, { url: origin, by: 'model' });
        return secret === null ? undefined : keyValue(secret);
      },
    });
  }

  /**
   * Null where there is no such secret. Throws `TerminalError` for one that is no key, or may not be sent there, and
   * what reading throws.
   */
  async read(place: KeyOrigin): Promise<KeyValue | null> {
    return (await this.#kept.fetch(textOf(place), { context: place })) ?? null;
  }

  /** The value is read anew when it is next needed. */
  forget(place: KeyOrigin): void {
    this.#kept.delete(textOf(place));
  }

  clear(): void {
    this.#kept.clear();
  }
}

/**
 * The key as it is sent: white space around it, as a file or a form leaves it, is no part of it.
 * Throws `TerminalError` where no header can carry it.
 */
export function keyValue(secret: Secret): KeyValue {
  const value = secret.reveal().trim();
  if (!/^[\x21-\x7e]{1,4096}$/.test(value)) {
    throw new TerminalError('model_key_unreadable', 'It holds what no header can carry.');
  }
  const fingerprint = createHash('sha256').update(value).digest('hex').slice(0, 16);
  return { secret: value === secret.reveal() ? secret : new Secret(value), fingerprint };
}

function textOf({ tenantId, name, origin }: KeyOrigin): string {
  return `${tenantId} ${name} ${origin}`;
}

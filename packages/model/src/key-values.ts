import { createHash } from 'node:crypto';
import { TerminalError } from '@turnpike/contract';
import { Secret } from '@turnpike/telemetry';
import { LRUCache } from 'lru-cache';

/** A tenant's secrets, at the moment of use. May throw where whoever keeps them cannot be reached. */
export interface ModelSecrets {
  /** Null where the tenant has no secret of this name. */
  read(tenantId: string, name: string): Promise<Secret | null>;
}

export interface KeyValue {
  secret: Secret;
  /** Tells two values of one name apart, and tells nothing of either. */
  fingerprint: string;
}

const MOST_VALUES = 1_000;

/** The values of tenants' keys, kept for a while so that not every request reads one. */
export class KeyValues {
  readonly #kept: LRUCache<string, KeyValue, { tenantId: string; name: string }>;

  constructor(secrets: ModelSecrets, ttlMs: number) {
    this.#kept = new LRUCache({
      max: MOST_VALUES,
      ttl: ttlMs,
      // One that is forgotten while it is read is an answer all the same.
      ignoreFetchAbort: true,
      async fetchMethod(_place, _stale, { context: { tenantId, name } }) {
        const secret = await secrets.read(tenantId, name);
        return secret === null ? undefined : keyValue(secret);
      },
    });
  }

  /** Null where there is no such secret. Throws `TerminalError` for one that is no key, and what reading throws. */
  async read(tenantId: string, name: string): Promise<KeyValue | null> {
    const context = { tenantId, name };
    return (await this.#kept.fetch(placeOf(tenantId, name), { context })) ?? null;
  }

  /** The value is read anew when it is next needed. */
  forget(tenantId: string, name: string): void {
    this.#kept.delete(placeOf(tenantId, name));
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

function placeOf(tenantId: string, name: string): string {
  return `${tenantId} ${name}`;
}

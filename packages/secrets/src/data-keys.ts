import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DataKey } from './data-key.ts';
import { KeyProviderError } from './errors.ts';
import type { KeyProvider, WrappedKey } from './key-provider.ts';
import { parseSettings } from './parse-settings.ts';

/** A tenant's data key as it is stored. */
export interface StoredDataKey {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  id: string;
  tenantId: string;
  wrapped: WrappedKey;
}

const boundsSchema = z.strictObject({
  max: z.int().min(1).max(100_000).default(1_000),
  // For the cache, zero means no expiry.
  ttlMs: z.int().min(1).max(3_600_000).default(300_000),
});

/**
 * Bounds of the cache of unwrapped keys. `max` (default 1,000): number of keys. `ttlMs` (default five minutes): how
 * long a key is cached, whether it is used or not. A revoked master key has effect after this time at the latest.
 */
export type DataKeysBounds = z.input<typeof boundsSchema>;

/** Unwraps data keys on demand and caches them for a short time. Rethrows errors of the provider. */
export interface DataKeys {
  /** Creates a random data key for a tenant and returns it wrapped under the current master key. */
  create(id: string, tenantId: string): Promise<StoredDataKey>;
  /**
   * Runs `work` with the key. `work` must not keep the key: it is zero-filled once it has left the cache and no
   * `work` uses it. Concurrent uses of one key share one unwrap.
   */
  use<T>(stored: StoredDataKey, work: (key: DataKey) => T | Promise<T>): Promise<T>;
  /** Drops all keys; later calls throw `KeyProviderError`. Does not close the provider. */
  close(): void;
}

interface CachedKey {
  key: Promise<DataKey>;
  users: number;
  dropped: boolean;
}

/** Throws `KeySettingsError` for invalid bounds. */
export function createDataKeys(provider: KeyProvider, bounds: DataKeysBounds = {}): DataKeys {
  const { max, ttlMs } = parseSettings('The bounds of the data keys', boundsSchema, bounds);
  let closed = false;
  const cache = new LRUCache<string, CachedKey>({
    max,
    ttl: ttlMs,
    // Otherwise an expired key would stay in memory until it is requested again.
    ttlAutopurge: true,
    dispose: (cached) => {
      cached.dropped = true;
      wipeUnused(cached);
    },
  });

  function acquire(stored: StoredDataKey): CachedKey {
    const cacheKey = JSON.stringify([
      stored.tenantId,
      stored.id,
      stored.wrapped.keyId,
      stored.wrapped.ciphertext,
    ]);
    const known = cache.get(cacheKey);
    if (known !== undefined) return known;
    const cached: CachedKey = { key: unwrap(provider, stored), users: 0, dropped: false };
    cache.set(cacheKey, cached);
    cached.key.catch(() => {
      if (cache.peek(cacheKey) === cached) cache.delete(cacheKey);
    });
    return cached;
  }

  return {
    create: async (id, tenantId) => {
      if (closed) throw closedError();
      const key = DataKey.random(id);
      try {
        return { id, tenantId, wrapped: await provider.wrap(key.reveal(), { tenantId }) };
      } finally {
        key.wipe();
      }
    },
    use: async (stored, work) => {
      if (closed) throw closedError();
      const cached = acquire(stored);
      // Counted before the first await: the key may be dropped while it is being unwrapped.
      cached.users++;
      try {
        return await work(await cached.key);
      } finally {
        cached.users--;
        wipeUnused(cached);
      }
    },
    close: () => {
      closed = true;
      cache.clear();
    },
  };
}

async function unwrap(provider: KeyProvider, { id, tenantId, wrapped }: StoredDataKey): Promise<DataKey> {
  return new DataKey(id, await provider.unwrap(wrapped, { tenantId }));
}

function wipeUnused(cached: CachedKey): void {
  if (!cached.dropped || cached.users > 0) return;
  cached.key.then(
    (key) => key.wipe(),
    () => undefined,
  );
}

function closedError(): KeyProviderError {
  return new KeyProviderError('key_provider_closed', 'The data keys were closed.');
}

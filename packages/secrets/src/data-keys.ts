import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DataKey } from './data-key.ts';
import { KeyProviderError } from './errors.ts';
import type { KeyProvider, WrappedKey } from './key-provider.ts';
import { parseSettings } from './parse-settings.ts';

/** A tenant's data key as a row has it. */
export interface StoredDataKey {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  id: string;
  tenantId: string;
  wrapped: WrappedKey;
}

const boundsSchema = z.strictObject({
  max: z.int().min(1).max(100_000).default(1_000),
  // The cache would take zero for no end at all.
  ttlMs: z.int().min(1).max(3_600_000).default(300_000),
});

/**
 * `max`: unwrapped keys kept at once, 1,000 where left out. `ttlMs`: milliseconds that one is kept, used
 * or not, five minutes where left out; so long, too, does a key work on that was withdrawn.
 */
export type DataKeysBounds = z.input<typeof boundsSchema>;

/** Data keys, unwrapped when needed and kept for a short time. May throw what the provider throws. */
export interface DataKeys {
  /** A new random data key for a tenant, wrapped under the current master key: what to store. */
  create(id: string, tenantId: string): Promise<StoredDataKey>;
  /**
   * Runs `work` with the key, which is not to be kept: it is zero-filled when it is dropped and nobody
   * is inside `work` with it any more. Uses of one key at the same time share one unwrap.
   */
  use<T>(stored: StoredDataKey, work: (key: DataKey) => T | Promise<T>): Promise<T>;
  /** Drops all keys, and lets nobody in any more. The provider is closed by whoever opened it. */
  close(): void;
}

interface Held {
  key: Promise<DataKey>;
  users: number;
  dropped: boolean;
}

/** Throws `KeySettingsError` for bounds that make no sense. */
export function createDataKeys(provider: KeyProvider, bounds: DataKeysBounds = {}): DataKeys {
  const { max, ttlMs } = parseSettings('The bounds of the data keys', boundsSchema, bounds);
  let closed = false;
  const cache = new LRUCache<string, Held>({
    max,
    ttl: ttlMs,
    // Without it, a key that nobody asks for again would stay in memory for good.
    ttlAutopurge: true,
    dispose: (held) => {
      held.dropped = true;
      wipeUnused(held);
    },
  });

  function hold(stored: StoredDataKey): Held {
    const name = JSON.stringify([
      stored.tenantId,
      stored.id,
      stored.wrapped.keyId,
      stored.wrapped.ciphertext,
    ]);
    const known = cache.get(name);
    if (known !== undefined) return known;
    const held: Held = { key: unwrap(provider, stored), users: 0, dropped: false };
    cache.set(name, held);
    held.key.catch(() => {
      if (cache.peek(name) === held) cache.delete(name);
    });
    return held;
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
      const held = hold(stored);
      // Counted before the first wait: the key may be dropped while it is on its way.
      held.users++;
      try {
        return await work(await held.key);
      } finally {
        held.users--;
        wipeUnused(held);
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

function wipeUnused(held: Held): void {
  if (!held.dropped || held.users > 0) return;
  held.key.then(
    (key) => key.wipe(),
    () => undefined,
  );
}

function closedError(): KeyProviderError {
  return new KeyProviderError('key_provider_closed', 'The data keys were closed.');
}

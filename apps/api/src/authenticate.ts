import { ProblemError } from '@turnpike/contract';
import { findKeyHolder, hashApiKey, isApiKey, type Database, type KeyHolder } from '@turnpike/store';
import type { Request } from 'express';
import { LRUCache } from 'lru-cache';
import type { KeyUses } from './key-uses.ts';

/** For this long at most a revoked key still works. Milliseconds. */
const CACHED_MS = 1_000;

export type Authenticate = (request: Request) => Promise<KeyHolder>;

/**
 * Finds the tenant whose key a request has, as `Authorization: Bearer` or `x-api-key`.
 * Throws `ProblemError`: `unauthenticated`, and `ambiguous_header` for two keys.
 */
export function createAuthenticate(database: Database, uses: KeyUses): Authenticate {
  const holders = new LRUCache<string, { holder: KeyHolder | null }>({
    max: 10_000,
    ttl: CACHED_MS,
    // Requests that arrive together with one key share one look-up.
    fetchMethod: async (hash) => ({
      holder: await findKeyHolder(database.pool, Buffer.from(hash, 'base64')),
    }),
  });
  return async (request) => {
    const key = keyOf(request);
    if (key === undefined) {
      throw new ProblemError('unauthenticated', 'Send an API key: `Authorization: Bearer tp_live_...`.');
    }
    if (!isApiKey(key)) throw new ProblemError('unauthenticated', 'That is not an API key of this service.');
    const known = await holders.fetch(hashApiKey(key).toString('base64'));
    if (known?.holder == null)
      throw new ProblemError('unauthenticated', 'The API key is unknown, revoked or expired.');
    uses.add(known.holder.keyId);
    return known.holder;
  };
}

/** The key of a request; undefined without one. Throws `ProblemError`: `ambiguous_header` for two keys. */
export function keyOf(request: Request): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1];
  const key = request.get('x-api-key');
  if (bearer !== undefined && key !== undefined && bearer !== key)
    throw new ProblemError(
      'ambiguous_header',
      'The headers authorization and x-api-key carry different keys.',
    );
  return bearer ?? key;
}

import { once } from 'node:events';
import { Redis } from 'ioredis';
import { neededVersion, otherKind, readFacts } from './check-redis-server.ts';
import { hashTagged } from './hash-tag.ts';
import { redisAccess } from './redis-access.ts';
import type { RedisSettings } from './redis-settings.ts';

const LIMIT_MS = 5_000;

/** What a Redis is like. */
export interface RedisInspection {
  version: string;
  /** The version that is needed; null where this one will do. */
  neededVersion: string | null;
  /** Null where the server does not say. */
  evictionPolicy: string | null;
  isReplica: boolean;
  /** A node of a cluster, or a Sentinel, while the settings say a single Redis. */
  isOfAnotherKind: boolean;
  usedBytes: number;
  /** 0: no limit. */
  maxBytes: number;
  /** Milliseconds since 1970, by the server's clock. */
  clock: number;
}

/** Looks at the Redis that the settings name. Changes nothing. Rejects where it does not respond within five seconds. */
export async function inspectRedis(url: string, settings: RedisSettings): Promise<RedisInspection> {
  const access = await redisAccess(url, settings, hashTagged('turnpike'));
  const client = new Redis(access.url, {
    Connector: access.Connector,
    connectTimeout: LIMIT_MS,
    commandTimeout: LIMIT_MS,
    enableOfflineQueue: false,
    retryStrategy: () => null,
  });
  try {
    // An error of the connection rejects this promise.
    await once(client, 'ready', { signal: AbortSignal.timeout(LIMIT_MS) });
    const [facts, [seconds, micros]] = await Promise.all([readFacts(client), client.time()]);
    const version = facts.get('redis_version') ?? '';
    return {
      version,
      neededVersion: neededVersion(version),
      evictionPolicy: facts.get('maxmemory_policy') ?? null,
      isReplica: facts.get('role') === 'slave',
      isOfAnotherKind: !access.mayMove && otherKind(facts) !== null,
      usedBytes: Number(facts.get('used_memory') ?? 0),
      maxBytes: Number(facts.get('maxmemory') ?? 0),
      clock: Number(seconds) * 1000 + Number(micros) / 1000,
    };
  } finally {
    client.disconnect();
  }
}

import { once } from 'node:events';
import { Redis, type CommonRedisOptions } from 'ioredis';
import { joinWrites } from './join-writes.ts';
import type { RedisAccess } from './redis-access.ts';
import { retryDelay } from './redis-connector.ts';
import type { Limit } from './with-timeout.ts';

/**
 * A connection without a response for this long is dead, even if it looks open: the kernel gives up a half-open TCP
 * connection only after a quarter of an hour.
 */
export const SILENCE_MS = 2_500;
const HEARTBEAT_MS = 1_500;

/** The least time between two reconnects away from a server that refuses writes. */
const LEAVE_EVERY_MS = 2_000;

/**
 * After a failover the old server continues as a replica and keeps its connections: it says READONLY, also in the error
 * of a script, or in a cluster MOVED. A node that is cut off from its cluster says CLUSTERDOWN.
 */
const REFUSES_WRITES = /\bREADONLY\b|^MOVED |^CLUSTERDOWN /;

/** Options of every connection. `onReadOnly` is called when it leaves a server that refuses writes. */
export function reconnecting({ Connector }: RedisAccess, onReadOnly: () => void = () => undefined) {
  let leftAt = -Infinity;
  return {
    Connector,
    retryStrategy: retryDelay,
    reconnectOnError(error: Error): boolean {
      if (!REFUSES_WRITES.test(error.message) || performance.now() - leftAt < LEAVE_EVERY_MS) return false;
      leftAt = performance.now();
      onReadOnly();
      return true;
    },
    connectTimeout: 5_000,
    keepAlive: 10_000,
    socketTimeout: SILENCE_MS,
  } satisfies CommonRedisOptions;
}

/**
 * Connects in the background, without a limit, and reconnects after each loss. A heartbeat detects a connection that
 * is open but dead, also while it is not used; `beat` is its request.
 */
export function connectRedis(
  access: RedisAccess,
  options: Pick<CommonRedisOptions, 'autoResubscribe' | 'maxRetriesPerRequest'>,
  onError: (error: unknown) => void,
  onReadOnly?: () => void,
  beat: (client: Redis) => Promise<unknown> = (itself) => itself.ping(),
): { client: Redis; disconnect(): void } {
  const client = new Redis(access.url, {
    ...reconnecting(access, onReadOnly),
    enableOfflineQueue: false,
    ...options,
  });
  // One listener for each call in progress; time bounds them, not number.
  client.setMaxListeners(0);
  client.on('error', onError);
  joinWrites(client);
  const heartbeat = setInterval(() => {
    // Without a response the socket's timeout destroys the connection, which reports an error.
    if (client.status === 'ready') beat(client).catch(() => undefined);
  }, HEARTBEAT_MS);
  return {
    client,
    disconnect() {
      clearInterval(heartbeat);
      client.disconnect();
    },
  };
}

/** Resolves once the connection can be used; rejects when the limit is over. */
export async function untilReady(client: Redis, limit: Limit): Promise<void> {
  if (client.status !== 'ready') await once(client, 'ready', { signal: limit.signal });
}

import { once } from 'node:events';
import { Redis, type CommonRedisOptions } from 'ioredis';

/**
 * A connection that was asked something and hears nothing for this long is dead, however open it
 * looks: a half-open TCP connection would else be believed for a quarter of an hour.
 */
export const SILENCE_MS = 2_500;
const HEARTBEAT_MS = 1_500;

/** A server that takes no writes is left, for the one that has its name by now, no more often than this. */
const LEAVE_EVERY_MS = 2_000;

/** What all connections have in common. `onReadOnly` is told when this one leaves a server that takes no writes. */
export function reconnecting(onReadOnly: () => void = () => undefined) {
  let leftAt = -Infinity;
  return {
    retryStrategy: (times: number): number =>
      // Soon, and then every two seconds, with jitter so that a fleet does not come back at once.
      Math.min(2_000, times * 100) * (0.5 + Math.random() / 2),
    // After a failover the old server lives on as a replica, and its connections with it. Scripts bring the word
    // inside of their own error.
    reconnectOnError(error: Error): boolean {
      if (!/\bREADONLY\b/.test(error.message) || performance.now() - leftAt < LEAVE_EVERY_MS) return false;
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
 * Connects in the background, for as long as it takes, and goes on connecting after each loss.
 * A heartbeat finds out about connections that are open but dead, also while nobody uses them.
 */
export function connectRedis(
  url: string,
  options: Pick<CommonRedisOptions, 'autoResubscribe' | 'maxRetriesPerRequest'>,
  onError: (error: unknown) => void,
  onReadOnly?: () => void,
): { client: Redis; disconnect(): void } {
  const client = new Redis(url, { ...reconnecting(onReadOnly), enableOfflineQueue: false, ...options });
  // One waiter for each call under way; they are bounded by time, not by number.
  client.setMaxListeners(0);
  client.on('error', onError);
  const heartbeat = setInterval(() => {
    // No answer runs into the socket's timeout, which destroys the connection and says so.
    if (client.status === 'ready') client.ping().catch(() => undefined);
  }, HEARTBEAT_MS);
  return {
    client,
    disconnect() {
      clearInterval(heartbeat);
      client.disconnect();
    },
  };
}

/** Resolves once the connection can be used; rejects when the signal aborts. */
export async function untilReady(client: Redis, signal: AbortSignal): Promise<void> {
  if (client.status !== 'ready') await once(client, 'ready', { signal });
}

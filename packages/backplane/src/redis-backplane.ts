import { Queue, Worker } from 'bullmq';
import type { Backplane } from './backplane.ts';
import { RedisSignals } from './redis-signals.ts';
import { QUEUE, TurnQueue } from './turn-queue.ts';

/** A connection that hears nothing for this long after it asked is dead, and is made anew. */
const SOCKET_TIMEOUT_MS = 5_000;
/** How long a worker's blocking read may wait for a job, in seconds. */
const BLOCK_SECONDS = 5;
/** So the blocking connection may be silent for longer. */
const BLOCKING_SOCKET_TIMEOUT_MS = BLOCK_SECONDS * 1_000 + SOCKET_TIMEOUT_MS;

export interface RedisBackplaneOptions {
  url: string;
  prefix: string;
  onError: (error: Error) => void;
}

/** Redis, for production: BullMQ for the queue, plain Pub/Sub for signals. Does not wait for the server. */
export function openRedisBackplane({ url, prefix, onError }: RedisBackplaneOptions): Backplane {
  const reconnecting = { retryStrategy, connectTimeout: 5_000 };
  const shared = { ...reconnecting, url };
  const bullQueue = new Queue(QUEUE, {
    // Who submits does not wait for a server that is away.
    connection: {
      ...shared,
      maxRetriesPerRequest: 1,
      socketTimeout: SOCKET_TIMEOUT_MS,
    },
    prefix,
    skipWaitingForReady: true,
  });
  bullQueue.on('error', onError);
  const queue = new TurnQueue(
    bullQueue,
    (processor, concurrency) =>
      new Worker(QUEUE, processor, {
        connection: { ...shared, maxRetriesPerRequest: null, socketTimeout: BLOCKING_SOCKET_TIMEOUT_MS },
        prefix,
        concurrency,
        drainDelay: BLOCK_SECONDS,
        runRetryDelay: 1_000,
        // The lock only says that a job has a taker. A job that lost it is run again, and the epoch
        // in it makes the claim refuse it, so BullMQ's own recovery can do no harm.
        lockDuration: 30_000,
        stalledInterval: 30_000,
        maxStalledCount: 1,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      }),
  );
  const signals = new RedisSignals({
    url,
    prefix,
    connection: { ...reconnecting, socketTimeout: SOCKET_TIMEOUT_MS },
    onError,
  });
  return {
    driver: 'redis',
    hint: (hints) => queue.hint(hints),
    missing: (hints) => queue.missing(hints),
    consume: (options) => queue.consume(options),
    publish: (channel, signal) => signals.publish(channel, signal),
    subscribe: (channel, listener) => signals.subscribe(channel, listener),
    onReconnect: (listener) => signals.onReconnect(listener),
    ping: () => signals.ping(),
    depth: () => queue.depth(),
    async close() {
      await Promise.allSettled([queue.close(), signals.close()]);
    },
  };
}

/** Soon, and then every two seconds, with jitter so that a fleet does not come back at once. */
function retryStrategy(times: number): number {
  return Math.min(2_000, times * 100) * (0.5 + Math.random() / 2);
}

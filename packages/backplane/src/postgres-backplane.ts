import { createPostgresBackend, createPostgresRelayBackend, Relay, withBackend } from 'bullmq';
import type { Backplane } from './backplane.ts';
import { encodeSignal, SignalListeners } from './signal-listeners.ts';
import { QUEUE, TurnQueue } from './turn-queue.ts';
import { withinTime } from './within-time.ts';

const SCHEMA = 'turnpike_backplane';

/**
 * Postgres, for a machine without Redis: BullMQ's own Postgres backend for the queue, its relay
 * for signals, both in a schema of their own. Makes the schema where it is not there yet.
 */
export async function openPostgresBackplane(options: {
  url: string;
  onError: (error: Error) => void;
}): Promise<Backplane> {
  const { url, onError } = options;
  const connection = { connectionString: url, schema: SCHEMA, connectionTimeoutMillis: 5_000 };
  const bullmq = withBackend(createPostgresBackend);
  const bullQueue = new bullmq.Queue(QUEUE, { connection: { ...connection, migrate: true, max: 3 } });
  bullQueue.on('error', onError);
  await bullQueue.waitUntilReady();
  const queue = new TurnQueue(
    bullQueue,
    (processor, concurrency) =>
      new bullmq.Worker(QUEUE, processor, {
        connection: { ...connection, max: 3 },
        concurrency,
        runRetryDelay: 1_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      }),
  );

  const relay = new Relay({
    connection: { ...connection, max: 2 },
    backend: createPostgresRelayBackend,
    namespace: 'turnpike',
  });
  relay.on('error', onError);
  await relay.waitUntilReady();
  const listeners = new SignalListeners();
  const subscriptions = new Map<string, Promise<{ unsubscribe(): Promise<void> }>>();

  return {
    driver: 'postgres',
    hint: (hints) => queue.hint(hints),
    missing: (hints) => queue.missing(hints),
    consume: (consumption) => queue.consume(consumption),
    async publish(channel, signal) {
      encodeSignal(signal);
      await withinTime('publishing', relay.publish(channel, signal));
    },
    async subscribe(channel, listener) {
      if (listeners.add(channel, listener)) {
        subscriptions.set(
          channel,
          relay.subscribe(channel, (message) => listeners.deliver(channel, message.data)),
        );
      }
      await subscriptions.get(channel);
      return async () => {
        if (!listeners.remove(channel, listener)) return;
        const subscription = await subscriptions.get(channel);
        subscriptions.delete(channel);
        await subscription?.unsubscribe();
      };
    },
    onReconnect(listener) {
      relay.on('recovered', listener);
      return () => relay.off('recovered', listener);
    },
    async ping() {
      await withinTime('ping', relay.getCounts());
    },
    depth: () => queue.depth(),
    async close() {
      await Promise.allSettled([withinTime('closing', relay.close()), withinTime('closing', queue.close())]);
    },
  };
}

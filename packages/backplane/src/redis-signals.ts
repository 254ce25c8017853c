import { Redis, type CommonRedisOptions } from 'ioredis';
import type { Signal } from './backplane.ts';
import { encodeSignal, SignalListeners } from './signal-listeners.ts';
import { withinTime } from './within-time.ts';

const HEARTBEAT_MS = 3_000;

export interface RedisSignalsOptions {
  url: string;
  prefix: string;
  connection: Pick<CommonRedisOptions, 'connectTimeout' | 'retryStrategy' | 'socketTimeout'>;
  onError: (error: Error) => void;
}

/**
 * Signals over Redis Pub/Sub: nothing of it is stored, so a wiped server loses none of the
 * subscriptions. One connection listens, one publishes.
 */
export class RedisSignals {
  readonly #prefix: string;
  readonly #listeners = new SignalListeners();
  readonly #onReconnect = new Set<() => void>();
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #heartbeat: NodeJS.Timeout;
  #wasReady = false;

  constructor(options: RedisSignalsOptions) {
    const { url, prefix, connection, onError } = options;
    this.#prefix = `${prefix}:signals:`;
    this.#publisher = new Redis(url, { ...connection, maxRetriesPerRequest: 1 });
    this.#subscriber = new Redis(url, { ...connection, maxRetriesPerRequest: null });
    this.#publisher.on('error', onError);
    this.#subscriber.on('error', onError);
    this.#subscriber.on('message', (channel: string, text: string) => {
      this.#listeners.deliver(channel.slice(this.#prefix.length), parseJson(text));
    });
    this.#subscriber.on('ready', () => {
      if (this.#wasReady) for (const listener of this.#onReconnect) listener();
      this.#wasReady = true;
    });
    // A connection that is open but dead says nothing; asked, it runs into its socket timeout.
    this.#heartbeat = setInterval(() => {
      if (this.#subscriber.status === 'ready') this.#subscriber.ping().catch(() => undefined);
    }, HEARTBEAT_MS);
  }

  async publish(channel: string, signal: Signal): Promise<void> {
    const text = encodeSignal(signal);
    await withinTime('publishing', this.#publisher.publish(this.#prefix + channel, text));
  }

  async subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>> {
    if (this.#listeners.add(channel, listener)) {
      // Where the server is away, the subscription is made when it is back.
      const subscribed = this.#subscriber.subscribe(this.#prefix + channel);
      await withinTime('subscribing', subscribed).catch(() => undefined);
    }
    return async () => {
      if (!this.#listeners.remove(channel, listener)) return;
      await withinTime('unsubscribing', this.#subscriber.unsubscribe(this.#prefix + channel));
    };
  }

  onReconnect(listener: () => void): () => void {
    this.#onReconnect.add(listener);
    return () => this.#onReconnect.delete(listener);
  }

  async ping(): Promise<void> {
    await withinTime('ping', this.#publisher.ping());
  }

  close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
    return Promise.resolve();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

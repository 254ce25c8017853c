import { EventEmitter, once } from 'node:events';
import type { Redis } from 'ioredis';
import { callEach } from './call-each.ts';
import type { RedisAccess } from './redis-access.ts';
import { connectRedis, untilReady } from './redis-connection.ts';
import type { Signal } from './signal.ts';
import { encodeSignal, SignalListeners } from './signal-listeners.ts';
import { RESPONSE_TIMEOUT_MS, settlesWithin, withTimeout } from './with-timeout.ts';

export interface RedisSignalsParts {
  access: RedisAccess;
  /** Publishes: the connection that everything except listening shares. */
  publisher: Redis;
  /** Prefix of each channel's name. It has the database number too: Redis channels are not separated by it. */
  prefix: string;
  onError: (error: unknown) => void;
}

/**
 * Signals over Redis Pub/Sub. The server stores nothing of them, so a wiped server loses no subscription. One
 * connection listens; it subscribes again after each reconnect, and listeners are told that signals arrive again only
 * when the server has confirmed that.
 */
export class RedisSignals {
  readonly #parts: RedisSignalsParts;
  readonly #subscriber: Redis;
  readonly #disconnect: () => void;
  readonly #listeners: SignalListeners;
  readonly #onReconnect = new Set<() => void>();
  readonly #returns = new EventEmitter().setMaxListeners(0);
  /** The server's confirmation for each channel of this connection. */
  readonly #confirmations = new Map<string, Promise<unknown>>();
  #mayHaveMissed = false;

  constructor(parts: RedisSignalsParts) {
    this.#parts = parts;
    this.#listeners = new SignalListeners(parts.onError);
    const { client, disconnect } = connectRedis(
      parts.access,
      { autoResubscribe: false, maxRetriesPerRequest: 0 },
      parts.onError,
    );
    this.#subscriber = client;
    this.#disconnect = disconnect;
    client.on('message', (channel: string, text: string) => {
      this.#listeners.deliver(channel.slice(parts.prefix.length), parseJson(text));
    });
    client.on('close', () => {
      this.#mayHaveMissed ||= this.#confirmations.size > 0;
      this.#confirmations.clear();
    });
    client.on('ready', () => void this.#subscribeAgain());
  }

  async publish(channel: string, signal: Signal): Promise<void> {
    await this.send(channel, signal);
  }

  /** As `publish`. Returns how many processes received it. */
  async send(channel: string, signal: Signal): Promise<number> {
    const text = encodeSignal(signal);
    const { publisher, prefix } = this.#parts;
    return withTimeout('publishing', async (limit) => {
      await untilReady(publisher, limit);
      return publisher.publish(prefix + channel, text);
    });
  }

  async subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>> {
    const isFirst = this.#listeners.add(channel, listener);
    if (isFirst && this.#subscriber.status === 'ready') void this.#ask([channel]);
    const confirmation = this.#confirmations.get(channel) ?? this.#untilReturn();
    // While the server is away, signals are missed until it is back.
    if (!(await settlesWithin(confirmation, RESPONSE_TIMEOUT_MS))) this.#mayHaveMissed = true;
    return async () => {
      if (!this.#listeners.remove(channel, listener)) return;
      this.#confirmations.delete(channel);
      // A lost connection has no subscriptions, and will not make this one again.
      if (this.#subscriber.status !== 'ready') return;
      await withTimeout('unsubscribing', () => this.#subscriber.unsubscribe(this.#parts.prefix + channel));
    };
  }

  /** The channel's name on the server. */
  channelName(channel: string): string {
    return this.#parts.prefix + channel;
  }

  /** Connects to the server that has the name now: a connection that only listens does not notice a failover. */
  reconnect(): void {
    if (this.#subscriber.status === 'ready') this.#subscriber.disconnect(true);
  }

  onReconnect(listener: () => void): () => void {
    this.#onReconnect.add(listener);
    return () => this.#onReconnect.delete(listener);
  }

  close(): void {
    this.#disconnect();
  }

  /** True once the server has confirmed. */
  async #ask(channels: readonly string[]): Promise<boolean> {
    const confirmation = this.#subscriber.subscribe(...channels.map((name) => this.#parts.prefix + name));
    for (const channel of channels) this.#confirmations.set(channel, confirmation);
    try {
      await confirmation;
      return true;
    } catch (error) {
      // The loss of the connection has been reported, and it subscribes again when it is back.
      if (this.#subscriber.status === 'ready') this.#parts.onError(error);
      return false;
    }
  }

  async #subscribeAgain(): Promise<void> {
    const { channels } = this.#listeners;
    if (channels.length > 0 && !(await this.#ask(channels))) return;
    this.#returns.emit('return');
    if (!this.#mayHaveMissed) return;
    this.#mayHaveMissed = false;
    callEach(this.#onReconnect, undefined, this.#parts.onError);
  }

  /** Gives up after a while, so that no listener stays when the caller no longer waits. */
  #untilReturn(): Promise<unknown> {
    return once(this.#returns, 'return', { signal: AbortSignal.timeout(2 * RESPONSE_TIMEOUT_MS) });
  }
}

/** Null for text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

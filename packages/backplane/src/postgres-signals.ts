import { createPostgresRelayBackend, Relay, type PostgresConnectionOptions } from 'bullmq';
import { callEach } from './call-each.ts';
import type { Signal } from './signal.ts';
import { encodeSignal, SignalListeners } from './signal-listeners.ts';
import { RESPONSE_TIMEOUT_MS, settlesWithin, withTimeout } from './with-timeout.ts';

const HEARTBEAT_MS = 1_500;
/** The reader polls this often, in case a notification was lost with its connection. */
const READ_AT_LEAST_EVERY_MS = 2_000;

interface Subscription {
  unsubscribe(): Promise<void>;
}

/**
 * Signals over BullMQ's relay: each process has a table as its inbox, and is woken by NOTIFY. A published signal
 * survives the loss of the reader's connection, but a signal that could not be published is lost; so listeners are
 * called after an outage here too.
 */
export class PostgresSignals {
  readonly #relay: Relay<PostgresConnectionOptions>;
  readonly #onError: (error: unknown) => void;
  readonly #listeners: SignalListeners;
  readonly #onReconnect = new Set<() => void>();
  /** Null while the server cannot be reached. */
  readonly #subscriptions = new Map<string, Promise<Subscription | null>>();
  readonly #heartbeat: NodeJS.Timeout;
  #away = false;
  #closing = false;

  /** `ping` makes a round trip to the server. */
  constructor(parts: {
    connection: PostgresConnectionOptions;
    ping(): Promise<void>;
    onError: (error: unknown) => void;
  }) {
    this.#onError = parts.onError;
    this.#listeners = new SignalListeners(parts.onError);
    this.#relay = new Relay({
      connection: parts.connection,
      backend: createPostgresRelayBackend,
      namespace: 'turnpike',
      blockTimeout: READ_AT_LEAST_EVERY_MS,
    });
    this.#relay.on('error', parts.onError);
    this.#relay.on('recovered', () => void this.#announceReturn());
    this.#heartbeat = setInterval(() => void this.#look(parts.ping), HEARTBEAT_MS);
  }

  async ready(limitMs: number): Promise<void> {
    await withTimeout('starting the relay', () => this.#relay.waitUntilReady(), limitMs);
  }

  async publish(channel: string, signal: Signal): Promise<void> {
    encodeSignal(signal);
    await withTimeout('publishing', () => this.send(channel, signal));
  }

  /** As `publish`, without its limits of size and time. */
  async send(channel: string, signal: Signal): Promise<void> {
    await this.#relay.publish(channel, signal);
  }

  async subscribe(channel: string, listener: (signal: Signal) => void): Promise<() => Promise<void>> {
    if (this.#listeners.add(channel, listener)) this.#ask(channel);
    await settlesWithin(Promise.resolve(this.#subscriptions.get(channel)), RESPONSE_TIMEOUT_MS);
    return async () => {
      if (!this.#listeners.remove(channel, listener)) return;
      const subscription = this.#subscriptions.get(channel);
      this.#subscriptions.delete(channel);
      await withTimeout('unsubscribing', async () => (await subscription)?.unsubscribe());
    };
  }

  onReconnect(listener: () => void): () => void {
    this.#onReconnect.add(listener);
    return () => this.#onReconnect.delete(listener);
  }

  close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#closing = true;
    return this.#relay.close();
  }

  #ask(channel: string): void {
    const subscription = this.#relay
      .subscribe(channel, (message) => this.#listeners.deliver(channel, message.data))
      .catch((error: unknown) => {
        // Subscribed again when the server is back, unless the process is stopping.
        if (this.#closing) return null;
        this.#away = true;
        if (this.#subscriptions.get(channel) === subscription) this.#subscriptions.delete(channel);
        this.#onError(error);
        return null;
      });
    this.#subscriptions.set(channel, subscription);
  }

  async #look(ping: () => Promise<void>): Promise<void> {
    try {
      await ping();
    } catch {
      this.#away = true;
      return;
    }
    if (this.#away) await this.#announceReturn();
  }

  async #announceReturn(): Promise<void> {
    this.#away = false;
    for (const channel of this.#listeners.channels) {
      if (!this.#subscriptions.has(channel)) this.#ask(channel);
    }
    const subscriptions = await Promise.all(this.#subscriptions.values());
    // One that fails again waits until the server is back once more.
    if (!subscriptions.includes(null)) callEach(this.#onReconnect, undefined, this.#onError);
  }
}

import type { Redis } from 'ioredis';
import { channelOf, KEPT_MS, parseUpdate, watchUpdates, type Live, type LiveUpdate } from './live.ts';
import { LiveSender, type LiveMessage, type LivePace } from './live-sender.ts';
import { untilReady } from './redis-connection.ts';
import { parseJson, type RedisSignals } from './redis-signals.ts';
import { withTimeout } from './with-timeout.ts';

/*
 * KEYS[i]: the list of messages with text that are kept of session i.
 * ARGV[1]: milliseconds to keep them; then three for each key: its channel, the message, and whether the message is
 * kept: 0 no, 1 yes, 2 yes, as the first of its text.
 * Returns the number of receivers of each message.
 */
const SHOW_SCRIPT = `
local heard = {}
for i, key in ipairs(KEYS) do
  local channel, message, keep = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  if keep == '2' then redis.call('DEL', key) end
  if keep ~= '0' then
    redis.call('RPUSH', key, message)
    redis.call('PEXPIRE', key, ARGV[1])
  end
  heard[i] = redis.call('PUBLISH', channel, message)
end
return heard`;

const PACE: LivePace = { batch: 1_000, pausePerMessageMs: 0.1, leastPauseMs: 0, mostPauseMs: 50 };

/** Live updates over Redis: each batch is one script and one round trip. */
export class RedisLive implements Live {
  readonly #client: Redis;
  readonly #signals: RedisSignals;
  readonly #keyPrefix: string;
  readonly #sender: LiveSender;
  readonly changed: Live['changed'];
  readonly show: Live['show'];
  readonly showProgress: Live['showProgress'];
  readonly endPreview: Live['endPreview'];

  constructor(parts: {
    client: Redis;
    signals: RedisSignals;
    keyPrefix: string;
    onError: (error: unknown) => void;
  }) {
    this.#client = parts.client;
    this.#signals = parts.signals;
    this.#keyPrefix = parts.keyPrefix;
    this.#client.defineCommand('turnpikeShow', { lua: SHOW_SCRIPT });
    this.#sender = new LiveSender((messages) => this.#send(messages), PACE, parts.onError);
    this.changed = (fact) => this.#sender.changed(fact);
    this.show = (preview) => this.#sender.show(preview);
    this.showProgress = (progress) => this.#sender.showProgress(progress);
    this.endPreview = (turnId) => this.#sender.endPreview(turnId);
  }

  watch(sessionId: string, listener: (update: LiveUpdate) => void): Promise<() => Promise<void>> {
    return watchUpdates(this.#signals, sessionId, listener);
  }

  kept(sessionId: string): Promise<LiveUpdate[]> {
    return withTimeout('reading previews', async (limit) => {
      await untilReady(this.#client, limit);
      const messages = await this.#client.lrange(this.#keyPrefix + sessionId, 0, -1);
      return messages.flatMap((message) => parseUpdate(parseJson(message)) ?? []);
    });
  }

  close(): void {
    this.#sender.close();
  }

  #send(messages: readonly LiveMessage[]): Promise<readonly number[]> {
    const keys = messages.map(({ sessionId }) => this.#keyPrefix + sessionId);
    const values = messages.flatMap(({ sessionId, update }) => {
      const keep = update.text === undefined ? '0' : update.text.offset === 0 ? '2' : '1';
      return [this.#signals.channelName(channelOf(sessionId)), JSON.stringify(update), keep];
    });
    const commands = this.#client as unknown as {
      turnpikeShow(keyCount: number, ...values: (string | number)[]): Promise<number[]>;
    };
    return withTimeout('sending live updates', async (limit) => {
      await untilReady(this.#client, limit);
      return commands.turnpikeShow(keys.length, ...keys, KEPT_MS, ...values);
    });
  }
}

import type { Redis } from 'ioredis';
import { KEPT_MS, parseUpdate, type Live, type LiveUpdate } from './live.ts';
import { LiveSender, type LiveMessage, type LivePace } from './live-sender.ts';
import { LiveWatchers } from './live-watchers.ts';
import { untilReady } from './redis-connection.ts';
import { parseJson, type RedisSignals } from './redis-signals.ts';
import { withTimeout } from './with-timeout.ts';

/*
 * KEYS[i]: the list of messages with text that are kept of session i.
 * ARGV[1]: milliseconds to keep them; then two for each key: the message, and whether it is the first of its text: 1
 * yes, 0 no; then two for each process that watches: its channel, and what it is sent.
 * Returns how many of those processes there were.
 */
const SHOW_SCRIPT = `
for i, key in ipairs(KEYS) do
  if ARGV[2 * i + 1] == '1' then redis.call('DEL', key) end
  redis.call('RPUSH', key, ARGV[2 * i])
  redis.call('PEXPIRE', key, ARGV[1])
end
local heard = 0
for i = 2 * #KEYS + 2, #ARGV, 2 do
  heard = heard + redis.call('PUBLISH', ARGV[i], ARGV[i + 1])
end
return heard`;

const PACE: LivePace = { batch: 1_000, pausePerMessageMs: 0.02, leastPauseMs: 0, mostPauseMs: 10 };

/** Live updates over Redis: each batch is one script and one round trip. */
export class RedisLive implements Live {
  readonly #client: Redis;
  readonly #signals: RedisSignals;
  readonly #keyPrefix: string;
  readonly #sender: LiveSender;
  readonly #watchers: LiveWatchers;
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
    this.#sender = new LiveSender(
      (messages) => this.#send(messages),
      PACE,
      parts.onError,
      (sessionId) => this.#watchers.isWatched(sessionId),
    );
    this.#watchers = new LiveWatchers({
      signals: parts.signals,
      onWatched: (sessionId) => this.#sender.watched(sessionId),
      onError: parts.onError,
    });
    this.changed = (fact) => this.#sender.changed(fact);
    this.show = (preview) => this.#sender.show(preview);
    this.showProgress = (progress) => this.#sender.showProgress(progress);
    this.endPreview = (turnId) => this.#sender.endPreview(turnId);
  }

  watch(sessionId: string, listener: (update: LiveUpdate) => void): Promise<() => Promise<void>> {
    return this.#watchers.watch(sessionId, listener);
  }

  kept(sessionId: string): Promise<LiveUpdate[]> {
    this.#watchers.touch(sessionId);
    return withTimeout('reading previews', async (limit) => {
      await untilReady(this.#client, limit);
      const messages = await this.#client.lrange(this.#keyPrefix + sessionId, 0, -1);
      return messages.flatMap((message) => parseUpdate(parseJson(message)) ?? []);
    });
  }

  close(): void {
    this.#watchers.close();
    this.#sender.close();
  }

  #send(messages: readonly LiveMessage[]): Promise<readonly number[]> {
    const kept = messages.filter(({ update }) => update.text !== undefined);
    const keys = kept.map(({ sessionId }) => this.#keyPrefix + sessionId);
    const texts = kept.flatMap(({ update }) => [
      JSON.stringify(update),
      update.text?.offset === 0 ? '1' : '0',
    ]);
    const sent = [...this.#watchers.byChannel(messages)].flatMap(([channel, batch]) => [
      this.#signals.channelName(channel),
      JSON.stringify(batch),
    ]);
    const commands = this.#client as unknown as {
      turnpikeShow(keyCount: number, ...values: (string | number)[]): Promise<number>;
    };
    return withTimeout('sending live updates', async (limit) => {
      await untilReady(this.#client, limit);
      const heard = await commands.turnpikeShow(keys.length, ...keys, KEPT_MS, ...texts, ...sent);
      return messages.map(() => heard);
    });
  }
}

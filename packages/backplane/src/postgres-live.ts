import { z } from 'zod';
import { KEPT_MS, parseUpdate, type Live, type LiveUpdate } from './live.ts';
import { LiveSender, type LiveMessage, type LivePace } from './live-sender.ts';
import { LiveWatchers } from './live-watchers.ts';
import type { PostgresSignals } from './postgres-signals.ts';
import { withTimeout } from './with-timeout.ts';

/* A lock serializes processes that start together: "if not exists" alone may still fail. */
const MAKE_TABLE = `
SELECT pg_advisory_xact_lock(hashtextextended('turnpike.live_text', 0));
CREATE UNLOGGED TABLE IF NOT EXISTS live_text (
  session_id text PRIMARY KEY, is_first boolean NOT NULL, messages text NOT NULL, changed_at timestamptz NOT NULL
)`;

/* Messages as lines of JSON; the first one of a text replaces those of the text before. */
const KEEP = `
INSERT INTO live_text AS kept (session_id, is_first, messages, changed_at)
SELECT given.session_id, given.is_first, given.message || E'\\n', now()
FROM unnest($1::text[], $2::boolean[], $3::text[]) AS given(session_id, is_first, message)
ON CONFLICT (session_id) DO UPDATE SET is_first = excluded.is_first, changed_at = excluded.changed_at,
  messages = CASE WHEN excluded.is_first THEN excluded.messages ELSE kept.messages || excluded.messages END`;

const READ = `SELECT messages FROM live_text
WHERE session_id = $1 AND changed_at > now() - interval '${KEPT_MS} milliseconds'`;

const PURGE = `DELETE FROM live_text WHERE changed_at < now() - interval '${KEPT_MS} milliseconds'`;

const rowsSchema = z.array(z.object({ messages: z.string() }));

/** Each message is one statement here, so pieces are larger and fewer. */
const PACE: LivePace = { batch: 100, pausePerMessageMs: 1, leastPauseMs: 50, mostPauseMs: 250 };

/** The part of BullMQ's pool that is used. */
interface Asked {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
}

/** Live updates on Postgres, for a machine without Redis: a table for kept text, signals for the updates. */
export class PostgresLive implements Live {
  readonly #pool: Asked;
  readonly #signals: PostgresSignals;
  readonly #sender: LiveSender;
  readonly #watchers: LiveWatchers;
  readonly changed: Live['changed'];
  readonly show: Live['show'];
  readonly showProgress: Live['showProgress'];
  readonly endPreview: Live['endPreview'];
  #table: Promise<unknown> | null = null;
  #purgedAt = -Infinity;

  constructor(parts: { pool: Asked; signals: PostgresSignals; onError: (error: unknown) => void }) {
    this.#pool = parts.pool;
    this.#signals = parts.signals;
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
    return withTimeout('reading previews', async () => {
      await this.#ready();
      const { rows } = await this.#pool.query(READ, [sessionId]);
      const lines = rowsSchema.parse(rows).flatMap(({ messages }) => messages.split('\n'));
      return lines.flatMap((line) => (line === '' ? [] : (parseUpdate(JSON.parse(line)) ?? [])));
    });
  }

  close(): void {
    this.#watchers.close();
    this.#sender.close();
  }

  #send(messages: readonly LiveMessage[]): Promise<readonly number[]> {
    return withTimeout('sending live updates', async () => {
      await this.#ready();
      await this.#keep(messages.filter(({ update }) => update.text !== undefined));
      await Promise.all(
        [...this.#watchers.byChannel(messages)].map(([channel, batch]) => this.#signals.send(channel, batch)),
      );
      // The number of receivers is not known here.
      return messages.map(() => 1);
    });
  }

  async #keep(messages: readonly LiveMessage[]): Promise<void> {
    if (messages.length === 0) return;
    // One statement may change a row only once.
    const bySession = new Map(messages.map((message) => [message.sessionId, message.update]));
    const updates = [...bySession.values()];
    const firsts = updates.map(({ text }) => text?.offset === 0);
    await this.#pool.query(KEEP, [
      [...bySession.keys()],
      firsts,
      updates.map((each) => JSON.stringify(each)),
    ]);
    if (performance.now() - this.#purgedAt < KEPT_MS) return;
    this.#purgedAt = performance.now();
    // If this fails, the next purge deletes the rows.
    this.#pool.query(PURGE).catch(() => undefined);
  }

  async #ready(): Promise<void> {
    this.#table ??= this.#pool.query(MAKE_TABLE).catch((error: unknown) => {
      this.#table = null;
      throw error;
    });
    await this.#table;
  }
}

import type { ConsumeOptions, HintConsumer, Hints } from './backplane.ts';
import { QueueConsumer } from './consume-hints.ts';
import type { HintKind } from './hint-kind.ts';
import type { MakeWorker } from './queue-worker.ts';
import { withinTime } from './within-time.ts';

/** What is used of BullMQ's queue: the same for both of its backends. */
export interface BullQueue {
  addBulk(jobs: { name: string; data: unknown; opts: object }[]): Promise<unknown>;
  getJobCounts(...states: ('waiting' | 'prioritized' | 'active')[]): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export interface HintQueueParts<Hint> {
  kind: HintKind<Hint>;
  queue: BullQueue;
  /** Resolves once the server can be asked; rejects when the signal aborts. */
  ready(limit: AbortSignal): Promise<void>;
  /** Those of these job ids that wait, or whose taker still renews its lock. One round trip. */
  findAlive(jobIds: readonly string[]): Promise<Set<string>>;
  makeWorker: MakeWorker;
  deafAfterMs: number;
}

/** Nothing is kept, whatever comes of a job: the truth is elsewhere, and the id must be free again. */
const DISPOSABLE = { attempts: 1, removeOnComplete: true, removeOnFail: true };

/** The queue of hints, on whatever backend. */
export class HintQueue<Hint> implements Hints<Hint> {
  readonly #parts: HintQueueParts<Hint>;
  readonly #consumers = new Set<QueueConsumer<Hint>>();

  constructor(parts: HintQueueParts<Hint>) {
    this.#parts = parts;
  }

  async hint(hints: readonly Hint[]): Promise<void> {
    if (hints.length === 0) return;
    const { kind } = this.#parts;
    const jobs = hints.map((hint) => ({
      name: 'hint',
      data: kind.schema.parse(hint),
      opts: { ...DISPOSABLE, jobId: kind.jobIdOf(hint) },
    }));
    await this.#ask('adding hints', () => this.#parts.queue.addBulk(jobs));
  }

  async missing(hints: readonly Hint[]): Promise<Hint[]> {
    if (hints.length === 0) return [];
    const { jobIdOf } = this.#parts.kind;
    const alive = await this.#ask('looking for hints', () => this.#parts.findAlive(hints.map(jobIdOf)));
    return hints.filter((hint) => !alive.has(jobIdOf(hint)));
  }

  async depth(): Promise<{ waiting: number; active: number }> {
    const counts = await this.#ask('counting', () =>
      this.#parts.queue.getJobCounts('waiting', 'prioritized', 'active'),
    );
    return {
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
    };
  }

  consume(options: ConsumeOptions<Hint>): HintConsumer {
    const consumer = new QueueConsumer({
      ...options,
      kind: this.#parts.kind,
      makeWorker: this.#parts.makeWorker,
      deafAfterMs: this.#parts.deafAfterMs,
      waiting: async () => (await this.depth()).waiting,
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close(0)));
    await this.#parts.queue.close();
  }

  #ask<Answer>(what: string, work: () => Promise<Answer>): Promise<Answer> {
    return withinTime(what, async (limit) => {
      await this.#parts.ready(limit);
      return work();
    });
  }
}

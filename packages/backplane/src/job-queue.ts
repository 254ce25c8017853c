import type { ConsumeOptions, JobConsumer, JobQueue } from './backplane.ts';
import { QueueConsumer } from './consume-jobs.ts';
import type { JobKind } from './job-kind.ts';
import type { MakeWorker } from './queue-worker.ts';
import { withTimeout, type Limit } from './with-timeout.ts';

/** The part of BullMQ's queue that is used; both of its backends have it. */
export interface BullQueue {
  addBulk(jobs: { name: string; data: unknown; opts: object }[]): Promise<unknown>;
  getJobCounts(...states: ('waiting' | 'prioritized' | 'active')[]): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export interface BullJobQueueParts<Job> {
  kind: JobKind<Job>;
  queue: BullQueue;
  /** Resolves once the server can be reached; rejects when the limit is over. */
  ready(limit: Limit): Promise<void>;
  /** Those of these job ids that wait, or whose process still renews its lock. One round trip. */
  findAlive(jobIds: readonly string[]): Promise<Set<string>>;
  makeWorker: MakeWorker;
  deafAfterMs: number;
}

/** A job is deleted however it ends: nothing is read from it, and its id must be free again. */
const DISPOSABLE = { attempts: 1, removeOnComplete: true, removeOnFail: true };

/** A queue of jobs on either backend of BullMQ. */
export class BullJobQueue<Job> implements JobQueue<Job> {
  readonly #parts: BullJobQueueParts<Job>;
  readonly #consumers = new Set<QueueConsumer<Job>>();

  constructor(parts: BullJobQueueParts<Job>) {
    this.#parts = parts;
  }

  async enqueue(jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return;
    const { kind } = this.#parts;
    const bullJobs = jobs.map((job) => ({
      name: 'job',
      data: kind.schema.parse(job),
      opts: { ...DISPOSABLE, jobId: kind.jobIdOf(job) },
    }));
    await this.#request('adding jobs', () => this.#parts.queue.addBulk(bullJobs));
  }

  async missing(jobs: readonly Job[]): Promise<Job[]> {
    if (jobs.length === 0) return [];
    const { jobIdOf } = this.#parts.kind;
    const alive = await this.#request('finding jobs', () => this.#parts.findAlive(jobs.map(jobIdOf)));
    return jobs.filter((job) => !alive.has(jobIdOf(job)));
  }

  async depth(): Promise<{ waiting: number; active: number }> {
    const counts = await this.#request('counting jobs', () =>
      this.#parts.queue.getJobCounts('waiting', 'prioritized', 'active'),
    );
    return {
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
    };
  }

  consume(options: ConsumeOptions<Job>): JobConsumer {
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

  #request<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    return withTimeout(what, async (limit) => {
      await this.#parts.ready(limit);
      return work();
    });
  }
}

import type { Job, JobState } from 'bullmq';
import type { ConsumeOptions, TurnConsumer, TurnHint } from './backplane.ts';
import { QueueConsumer } from './consume-turns.ts';
import { withinTime } from './within-time.ts';

export const QUEUE = 'turns';

/** What is used of BullMQ's queue: the same for both of its backends. */
export interface BullQueue {
  addBulk(jobs: { name: string; data: TurnHint; opts: object }[]): Promise<unknown>;
  getJobState(id: string): Promise<JobState | 'unknown'>;
  getJobCounts(...states: ('waiting' | 'prioritized' | 'active')[]): Promise<Record<string, number>>;
  close(): Promise<void>;
}

/** What is used of BullMQ's worker. */
export interface BullWorker {
  on(event: 'error', listener: (error: Error) => void): unknown;
  pause(doNotWaitForActive: boolean): Promise<void>;
  close(force: boolean): Promise<void>;
}

export type BullProcessor = (job: Job<unknown>) => Promise<void>;

/** Makes workers, as often as one has to be replaced. */
export type MakeWorker = (processor: BullProcessor, concurrency: number) => BullWorker;

/** States in which a job will still be taken up. An `active` one was taken, and nothing came of it. */
const WAITING = new Set<string>(['waiting', 'prioritized', 'delayed', 'waiting-children']);

/** The queue of hints, on whatever backend. */
export class TurnQueue {
  readonly #queue: BullQueue;
  readonly #makeWorker: MakeWorker;

  constructor(queue: BullQueue, makeWorker: MakeWorker) {
    this.#queue = queue;
    this.#makeWorker = makeWorker;
  }

  async hint(hints: readonly TurnHint[]): Promise<void> {
    if (hints.length === 0) return;
    const jobs = hints.map(({ turnId, epoch, hint }) => ({
      name: 'turn',
      data: { turnId, epoch, hint },
      // The id makes a second hint of the same claim no job. Nothing is kept: the truth is elsewhere.
      opts: {
        jobId: jobId({ turnId, epoch, hint }),
        attempts: 1,
        removeOnComplete: true,
        removeOnFail: true,
      },
    }));
    await withinTime('adding hints', this.#queue.addBulk(jobs));
  }

  async missing(hints: readonly TurnHint[]): Promise<TurnHint[]> {
    const states = await withinTime(
      'looking for hints',
      Promise.all(hints.map((hint) => this.#queue.getJobState(jobId(hint)))),
    );
    return hints.filter((_, place) => !WAITING.has(states[place] ?? 'unknown'));
  }

  async depth(): Promise<{ waiting: number; active: number }> {
    const counts = await withinTime('counting', this.#queue.getJobCounts('waiting', 'prioritized', 'active'));
    return {
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
    };
  }

  consume(options: ConsumeOptions): TurnConsumer {
    return new QueueConsumer(this.#makeWorker, () => this.depth(), options);
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}

/** BullMQ allows no colon in an id. */
function jobId({ turnId, epoch, hint }: TurnHint): string {
  return `${turnId}.${epoch}.${hint}`;
}

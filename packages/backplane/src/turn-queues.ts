import type { ConsumeOptions, JobConsumer, TurnQueues } from './backplane.ts';
import type { JobKind } from './job-kind.ts';
import type { BullJobQueue } from './job-queue.ts';
import { TURN_JOBS, type QueuedTurnJob, type TurnJob } from './turn-job.ts';

/** Queues that are open at once beside `turns`. More than an installation has kinds of workers. */
const MOST_OPEN = 64;

/** The queues of turns on either backend of BullMQ, each opened when it is first used. */
export class BullTurnQueues implements TurnQueues {
  readonly #open: (kind: JobKind<TurnJob>) => BullJobQueue<TurnJob>;
  /** By name, the one that was used last at the end. */
  readonly #queues = new Map<string, BullJobQueue<TurnJob>>();
  readonly #consumed = new Set<string>([TURN_JOBS.queue]);

  constructor(main: BullJobQueue<TurnJob>, open: (kind: JobKind<TurnJob>) => BullJobQueue<TurnJob>) {
    this.#open = open;
    this.#queues.set(TURN_JOBS.queue, main);
  }

  async enqueue(jobs: readonly QueuedTurnJob[]): Promise<void> {
    await Promise.all(
      byQueue(jobs).map(([name, ofQueue]) => this.#queueOf(name).enqueue(ofQueue.map(dataOf))),
    );
  }

  async missing<Job extends QueuedTurnJob>(jobs: readonly Job[]): Promise<Job[]> {
    const missing = await Promise.all(
      byQueue(jobs).map(([name, ofQueue]) => this.#queueOf(name).missing(ofQueue)),
    );
    return missing.flat() as Job[];
  }

  consume(options: ConsumeOptions<TurnJob>, queue: string = TURN_JOBS.queue): JobConsumer {
    this.#consumed.add(queue);
    return this.#queueOf(queue).consume(options);
  }

  async depth(): Promise<{ waiting: number; active: number }> {
    const depths = await Promise.all([...this.#queues.values()].map((queue) => queue.depth()));
    return {
      waiting: depths.reduce((sum, { waiting }) => sum + waiting, 0),
      active: depths.reduce((sum, { active }) => sum + active, 0),
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #queueOf(name: string): BullJobQueue<TurnJob> {
    const known = this.#queues.get(name);
    const queue = known ?? this.#open({ ...TURN_JOBS, queue: name });
    this.#queues.delete(name);
    this.#queues.set(name, queue);
    if (known === undefined) this.#closeUnused();
    return queue;
  }

  #closeUnused(): void {
    if (this.#queues.size <= MOST_OPEN) return;
    const [oldest] = [...this.#queues].filter(([name]) => !this.#consumed.has(name));
    if (oldest === undefined) return;
    const [name, queue] = oldest;
    this.#queues.delete(name);
    // Nothing is lost if that fails: it holds connections, no jobs.
    void queue.close().catch(() => undefined);
  }
}

function byQueue<Job extends QueuedTurnJob>(jobs: readonly Job[]): [string, Job[]][] {
  const queues = new Map<string, Job[]>();
  for (const job of jobs) {
    const name = job.queue ?? TURN_JOBS.queue;
    const ofQueue = queues.get(name);
    if (ofQueue === undefined) queues.set(name, [job]);
    else ofQueue.push(job);
  }
  return [...queues];
}

const dataOf = ({ turnId, epoch, jobNumber }: TurnJob): TurnJob => ({ turnId, epoch, jobNumber });

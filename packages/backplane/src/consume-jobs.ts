import { setTimeout as delay } from 'node:timers/promises';
import { WaitingError } from 'bullmq';
import type { ConsumeOptions, JobConsumer } from './backplane.ts';
import type { JobKind } from './job-kind.ts';
import type { BullJob, BullWorker, MakeWorker } from './queue-worker.ts';
import { watchConsumer } from './watch-consumer.ts';
import { settlesWithin } from './with-timeout.ts';

export interface QueueConsumerParts<Job> extends ConsumeOptions<Job> {
  kind: JobKind<Job>;
  makeWorker: MakeWorker;
  deafAfterMs: number;
  waiting(): Promise<number>;
  onClose(): void;
}

/** A worker, and the jobs that it has in hand. */
interface Taker {
  worker: BullWorker;
  active: number;
  /** The ends of those whose job was taken: they may end while what they began goes on. */
  taken: Set<() => void>;
  /** Those whose end is not recorded. */
  unrecorded: Set<string>;
}

const PAUSE_LIMIT_MS = 1_000;
const RECORD_LIMIT_MS = 1_000;
const CLOSE_LIMIT_MS = 2_000;
const LOOK_EVERY_MS = 20;

/** Runs jobs as they come, with a watch that replaces a worker which has gone deaf. */
export class QueueConsumer<Job> implements JobConsumer {
  readonly #parts: QueueConsumerParts<Job>;
  readonly #stopWatching: () => void;
  #taker: Taker;
  #active = 0;
  #taken = 0;
  #paused = false;
  #isLeaving = false;
  /** The worker has room that it does not know of, and had no taken job whose end would have told it. */
  #isUntold = false;
  #closed: Promise<void> | null = null;

  constructor(parts: QueueConsumerParts<Job>) {
    this.#parts = parts;
    this.#taker = this.#startTaker(this.#room(0));
    this.#stopWatching = watchConsumer({
      deafAfterMs: parts.deafAfterMs,
      hasRoom: () => !this.#paused && this.#active < parts.concurrency && this.#hasFreeHands,
      taken: () => this.#taken,
      waiting: () => parts.waiting(),
      onDeaf: (waiting) => this.#replaceTaker(waiting),
    });
  }

  get active(): number {
    return this.#active;
  }

  get #hasFreeHands(): boolean {
    return this.#taker.active < this.#taker.worker.concurrency;
  }

  get #takenAtOnce(): number {
    const { concurrency, takenAtOnce = concurrency } = this.#parts;
    return Math.min(takenAtOnce, concurrency);
  }

  async pause(): Promise<void> {
    this.#paused = true;
    await settlesWithin(this.#taker.worker.pause(true), PAUSE_LIMIT_MS);
  }

  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    this.#stopWatching();
    await this.pause();
    const { unrecorded } = this.#taker;
    await untilNone(() => this.#active, graceMs);
    if (this.#active === 0) await untilNone(() => unrecorded.size, RECORD_LIMIT_MS);
    this.#isLeaving = true;
    await closeByForce(this.#taker);
    this.#parts.onClose();
  }

  #startTaker(concurrency: number): Taker {
    const { makeWorker, onError } = this.#parts;
    const worker = makeWorker((job, token) => this.#runJob(taker, job, token), concurrency);
    const taker: Taker = { worker, active: 0, taken: new Set(), unrecorded: new Set() };
    worker.on('error', (error) => {
      // What was under way when we closed its connection is no news.
      if (!this.#isLeaving) onError(error);
    });
    worker.on('completed', (job) => taker.unrecorded.delete(job?.id ?? ''));
    worker.on('failed', (job) => taker.unrecorded.delete(job?.id ?? ''));
    return taker;
  }

  /** Lasts as long as the job does: until its job was taken and its place is wanted, or its run has ended. */
  #runJob(taker: Taker, job: BullJob, token: string | undefined): Promise<void> {
    if (this.#paused) return this.#giveBack(job, token);
    this.#taken += 1;
    this.#active += 1;
    taker.active += 1;
    taker.unrecorded.add(job.id ?? '');
    return new Promise((resolve) => {
      let isOver = false;
      const end = (): void => {
        taker.taken.delete(end);
        if (isOver) return;
        isOver = true;
        taker.active -= 1;
        if (taker === this.#taker) this.#isUntold = false;
        this.#fitConcurrency();
        resolve();
      };
      const onTaken = (): void => {
        if (!isOver) taker.taken.add(end);
        this.#endTakenJobs();
      };
      void this.#run(job, onTaken).finally(() => {
        this.#active -= 1;
        end();
        this.#fitConcurrency();
        this.#endTakenJobs();
      });
    });
  }

  /**
   * Only where another can be taken instead: the end of a run brings the next job for nothing. Half of the places
   * stay with jobs that are not taken yet, so that those are worked on side by side.
   */
  #endTakenJobs(): void {
    const { concurrency } = this.#parts;
    const mostKept = concurrency > this.#takenAtOnce ? this.#takenAtOnce / 2 : concurrency;
    const { taken } = this.#taker;
    for (const end of taken) {
      if (this.#active < concurrency && (taken.size > mostKept || this.#isUntold)) end();
    }
  }

  /** A job that failed would be of no use to anybody, the reconciler looks after the turn. */
  async #run(bullJob: BullJob, taken: () => void): Promise<void> {
    try {
      const { kind } = this.#parts;
      const job = kind.schema.safeParse(bullJob.data);
      if (job.success) await this.#parts.run(job.data, taken);
      else
        this.#report(
          new Error(`Job ${bullJob.id ?? ''} is not a valid job for ${kind.what}; it is removed.`),
        );
    } catch (error) {
      this.#report(error);
    }
  }

  /** BullMQ's read was under way when it was paused. Another worker takes it, at once. */
  async #giveBack(job: BullJob, token: string | undefined): Promise<never> {
    try {
      await job.moveToWait(token);
    } catch (error) {
      this.#report(error);
    }
    throw new WaitingError();
  }

  /** What the old one runs goes on; it only takes nothing more. */
  #replaceTaker(waiting: number): void {
    this.#report(new Error(`The queue's worker took nothing while ${waiting} jobs waited; it is replaced.`));
    const old = this.#taker;
    this.#taker = this.#startTaker(this.#room(0));
    this.#isUntold = false;
    void closeByForce(old);
  }

  /** What runs already, and is not in the hands of the worker of now, takes places from it. */
  #fitConcurrency(): void {
    const { worker, active, taken } = this.#taker;
    const concurrency = this.#room(active);
    const isParked = !this.#hasFreeHands && concurrency > worker.concurrency;
    if (worker.concurrency !== concurrency) worker.concurrency = concurrency;
    // One that has its hands full looks again only when a job ends.
    if (!isParked) return;
    const [end] = taken;
    if (end === undefined) this.#isUntold = true;
    else end();
  }

  #room(activeOfTaker: number): number {
    return Math.max(1, Math.min(this.#takenAtOnce, this.#parts.concurrency - (this.#active - activeOfTaker)));
  }

  #report(error: unknown): void {
    this.#parts.onError(error instanceof Error ? error : new Error('A job failed.', { cause: error }));
  }
}

async function untilNone(count: () => number, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (count() > 0 && performance.now() < end) await delay(LOOK_EVERY_MS);
}

/**
 * Closes a worker's connections, whatever state they are in. BullMQ's own way of waiting for what
 * runs would wait without end for a connection that is just being made again.
 */
async function closeByForce({ worker }: Taker): Promise<void> {
  await settlesWithin(worker.close(true), CLOSE_LIMIT_MS);
}

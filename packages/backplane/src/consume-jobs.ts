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

/** A worker of BullMQ, and the jobs that it holds. */
interface HeldWorker {
  worker: BullWorker;
  active: number;
  /** Functions that end a claimed job in the queue, while its run continues. */
  claimed: Set<() => void>;
  /** Ids of jobs whose end the server has not recorded yet. */
  unrecorded: Set<string>;
}

const PAUSE_LIMIT_MS = 1_000;
const RECORD_LIMIT_MS = 1_000;
const CLOSE_LIMIT_MS = 2_000;
const CHECK_EVERY_MS = 20;

/** Runs jobs as they come, and replaces a worker that no longer receives any. */
export class QueueConsumer<Job> implements JobConsumer {
  readonly #parts: QueueConsumerParts<Job>;
  readonly #stopWatching: () => void;
  #held: HeldWorker;
  #active = 0;
  #received = 0;
  #paused = false;
  #isLeaving = false;
  /** The worker does not know of a free slot yet: it has no claimed job whose end would make it look. */
  #hasUnseenSlot = false;
  #closed: Promise<void> | null = null;

  constructor(parts: QueueConsumerParts<Job>) {
    this.#parts = parts;
    this.#held = this.#startWorker(this.#slotsFor(0));
    this.#stopWatching = watchConsumer({
      deafAfterMs: parts.deafAfterMs,
      hasFreeSlot: () => !this.#paused && this.#active < parts.concurrency && this.#hasFreeSlot,
      received: () => this.#received,
      waiting: () => parts.waiting(),
      onDeaf: (waiting) => this.#replaceWorker(waiting),
    });
  }

  get active(): number {
    return this.#active;
  }

  get #hasFreeSlot(): boolean {
    return this.#held.active < this.#held.worker.concurrency;
  }

  get #unclaimedAtOnce(): number {
    const { concurrency, unclaimedAtOnce = concurrency } = this.#parts;
    return Math.min(unclaimedAtOnce, concurrency);
  }

  get freeSlots(): number {
    return this.#paused ? 0 : Math.max(0, this.#parts.concurrency - 1 - this.#active);
  }

  takeSlot(): (() => void) | null {
    if (this.freeSlots === 0) return null;
    this.#active += 1;
    this.#fitConcurrency();
    return () => {
      this.#active -= 1;
      this.#fitConcurrency();
      this.#endClaimedJobs();
    };
  }

  async pause(): Promise<void> {
    this.#paused = true;
    await settlesWithin(this.#held.worker.pause(true), PAUSE_LIMIT_MS);
  }

  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    this.#stopWatching();
    await this.pause();
    const { unrecorded } = this.#held;
    await untilNone(() => this.#active, graceMs);
    if (this.#active === 0) await untilNone(() => unrecorded.size, RECORD_LIMIT_MS);
    this.#isLeaving = true;
    await closeByForce(this.#held);
    this.#parts.onClose();
  }

  #startWorker(concurrency: number): HeldWorker {
    const { makeWorker, onError } = this.#parts;
    const worker = makeWorker((job, token) => this.#runJob(held, job, token), concurrency);
    const held: HeldWorker = { worker, active: 0, claimed: new Set(), unrecorded: new Set() };
    worker.on('error', (error) => {
      // Errors of commands that were interrupted by closing are expected.
      if (!this.#isLeaving) onError(error);
    });
    worker.on('completed', (job) => held.unrecorded.delete(job?.id ?? ''));
    worker.on('failed', (job) => held.unrecorded.delete(job?.id ?? ''));
    return held;
  }

  /** Resolves when the job ends in the queue: when it is claimed and its slot is needed, or its run has ended. */
  #runJob(held: HeldWorker, job: BullJob, token: string | undefined): Promise<void> {
    // BullMQ may have received several jobs before slots were taken otherwise.
    if (this.#paused || this.#active >= this.#parts.concurrency) return this.#returnToQueue(job, token);
    this.#received += 1;
    this.#active += 1;
    held.active += 1;
    held.unrecorded.add(job.id ?? '');
    return new Promise((resolve) => {
      let isOver = false;
      const end = (): void => {
        held.claimed.delete(end);
        if (isOver) return;
        isOver = true;
        held.active -= 1;
        if (held === this.#held) this.#hasUnseenSlot = false;
        this.#fitConcurrency();
        resolve();
      };
      const onClaimed = (): void => {
        if (!isOver) held.claimed.add(end);
        this.#endClaimedJobs();
      };
      void this.#run(job, onClaimed).finally(() => {
        this.#active -= 1;
        end();
        this.#fitConcurrency();
        this.#endClaimedJobs();
      });
    });
  }

  /**
   * Ends claimed jobs only where another job can run instead: BullMQ fetches the next job together with an end, without
   * a round trip of its own. Half of the slots stay with unclaimed jobs, so that several claims are made at once.
   */
  #endClaimedJobs(): void {
    const { concurrency } = this.#parts;
    const mostKept = concurrency > this.#unclaimedAtOnce ? this.#unclaimedAtOnce / 2 : concurrency;
    const { claimed } = this.#held;
    for (const end of claimed) {
      if (this.#active < concurrency && (claimed.size > mostKept || this.#hasUnseenSlot)) end();
    }
  }

  /** Never rejects: a failed job is not kept in the queue, since the reconciler adds another where one is needed. */
  async #run(bullJob: BullJob, claimed: () => void): Promise<void> {
    try {
      const { kind } = this.#parts;
      const job = kind.schema.safeParse(bullJob.data);
      if (job.success) await this.#parts.run(job.data, claimed);
      else
        this.#report(
          new Error(`Job ${bullJob.id ?? ''} is not a valid job for ${kind.what} and was removed.`),
        );
    } catch (error) {
      this.#report(error);
    }
  }

  /** For a job that BullMQ received while it was being paused. Another worker receives it at once. */
  async #returnToQueue(job: BullJob, token: string | undefined): Promise<never> {
    try {
      await job.moveToWait(token);
    } catch (error) {
      this.#report(error);
    }
    throw new WaitingError();
  }

  /** Jobs of the old worker continue; it receives no more. */
  #replaceWorker(waiting: number): void {
    this.#report(
      new Error(`The queue's worker received nothing while ${waiting} jobs waited; it is replaced.`),
    );
    const old = this.#held;
    this.#held = this.#startWorker(this.#slotsFor(0));
    this.#hasUnseenSlot = false;
    void closeByForce(old);
  }

  /** Runs that continue after their job ended, and those of replaced workers, use slots of the current worker. */
  #fitConcurrency(): void {
    const { worker, active, claimed } = this.#held;
    const concurrency = this.#slotsFor(active);
    const isFull = !this.#hasFreeSlot && concurrency > worker.concurrency;
    if (worker.concurrency !== concurrency) worker.concurrency = concurrency;
    // BullMQ's worker reads its concurrency again only when a job ends.
    if (!isFull) return;
    const [end] = claimed;
    if (end === undefined) this.#hasUnseenSlot = true;
    else end();
  }

  #slotsFor(activeOfWorker: number): number {
    const free = this.#parts.concurrency - (this.#active - activeOfWorker);
    return Math.max(1, Math.min(this.#unclaimedAtOnce, free));
  }

  #report(error: unknown): void {
    this.#parts.onError(error instanceof Error ? error : new Error('A job failed.', { cause: error }));
  }
}

async function untilNone(count: () => number, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (count() > 0 && performance.now() < end) await delay(CHECK_EVERY_MS);
}

/**
 * Closes a worker's connections in any state. BullMQ's own wait for running jobs never ends while a connection is
 * being opened again.
 */
async function closeByForce({ worker }: HeldWorker): Promise<void> {
  await settlesWithin(worker.close(true), CLOSE_LIMIT_MS);
}

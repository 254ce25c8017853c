import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { ConsumeOptions, TurnConsumer, TurnHint } from './backplane.ts';
import type { BullWorker, MakeWorker } from './turn-queue.ts';

const hintSchema = z.strictObject({ turnId: z.string(), epoch: z.int(), hint: z.int() });

/** A worker that takes nothing for this long while jobs wait and it has room is deaf. */
const DEAF_AFTER_MS = 5_000;
const WATCH_EVERY_MS = 1_000;
const CLOSE_LIMIT_MS = 2_000;
const LOOK_EVERY_MS = 20;

/**
 * Runs hints as they come. BullMQ's workers may go silently deaf after an outage of the server
 * (taskforcesh/bullmq #4378, #4585), so a watch replaces one that takes nothing while work waits.
 */
export class QueueConsumer implements TurnConsumer {
  readonly #makeWorker: MakeWorker;
  readonly #depth: () => Promise<{ waiting: number }>;
  readonly #options: ConsumeOptions;
  readonly #watch: NodeJS.Timeout;
  #worker: BullWorker;
  #active = 0;
  #lastSign = performance.now();
  #paused = false;
  #watching = false;

  constructor(makeWorker: MakeWorker, depth: () => Promise<{ waiting: number }>, options: ConsumeOptions) {
    this.#makeWorker = makeWorker;
    this.#depth = depth;
    this.#options = options;
    this.#worker = this.#startWorker();
    this.#watch = setInterval(() => void this.#lookForDeafness(), WATCH_EVERY_MS);
  }

  get active(): number {
    return this.#active;
  }

  async pause(): Promise<void> {
    this.#paused = true;
    await settleWithin(this.#worker.pause(true), CLOSE_LIMIT_MS);
  }

  async close(graceMs: number): Promise<void> {
    clearInterval(this.#watch);
    await this.pause();
    const end = performance.now() + graceMs;
    while (this.#active > 0 && performance.now() < end) await delay(LOOK_EVERY_MS);
    await settleWithin(this.#worker.close(this.#active > 0), CLOSE_LIMIT_MS);
  }

  #startWorker(): BullWorker {
    const worker = this.#makeWorker((job) => this.#runJob(job.data), this.#options.concurrency);
    worker.on('error', (error) => this.#options.onError(error));
    return worker;
  }

  /** Never throws: a job that failed would be of no use to anybody, the reconciler looks after the turn. */
  async #runJob(payload: unknown): Promise<void> {
    this.#active += 1;
    this.#lastSign = performance.now();
    try {
      const hint: TurnHint = hintSchema.parse(payload);
      await this.#options.run(hint);
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error('A hint failed.', { cause: error }));
    } finally {
      this.#active -= 1;
      this.#lastSign = performance.now();
    }
  }

  async #lookForDeafness(): Promise<void> {
    if (this.#watching || this.#paused) return;
    const busy = this.#active >= this.#options.concurrency;
    if (busy || performance.now() - this.#lastSign < DEAF_AFTER_MS) return;
    this.#watching = true;
    try {
      const { waiting } = await this.#depth();
      const silent = performance.now() - this.#lastSign >= DEAF_AFTER_MS;
      if (waiting > 0 && silent && !this.#paused) this.#replaceWorker(waiting);
      this.#lastSign = performance.now();
    } catch {
      // The server is away: that is not deafness, and whoever adds hints reports it.
    } finally {
      this.#watching = false;
    }
  }

  /** What the old one runs goes on; it only takes nothing more. */
  #replaceWorker(waiting: number): void {
    this.#options.onError(
      new Error(`The queue's worker took nothing while ${waiting} hints waited; it is replaced.`),
    );
    const old = this.#worker;
    this.#worker = this.#startWorker();
    void settleWithin(old.close(true), CLOSE_LIMIT_MS);
  }
}

/** Waits for it, but not longer than this; how it ends is of no interest here. */
async function settleWithin(work: Promise<unknown>, limitMs: number): Promise<void> {
  const limit = new AbortController();
  const quiet = work.catch(() => undefined);
  const timer = delay(limitMs, undefined, { signal: limit.signal }).catch(() => undefined);
  await Promise.race([quiet, timer]);
  limit.abort();
}

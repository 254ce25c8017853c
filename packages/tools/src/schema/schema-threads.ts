import { createRequire } from 'node:module';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { CheckResult, CheckTask, DraftTask } from './check-input.ts';
import { threadTimeMs } from './thread-time.ts';

/** The result of a check, and the milliseconds that its thread worked on it. */
export interface ThreadWork<Given extends Task> {
  /** Null where it was stopped. */
  result: ResultOf<Given> | null;
  usedMs: number;
}

export type Task = Omit<CheckTask, 'begun'> | Omit<DraftTask, 'begun'>;
type ResultOf<Given extends Task> = Given extends { schemas: unknown } ? (string | null)[] : CheckResult;

const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** A thread takes some time to start, so an idle one is kept for a while. */
const KEEP_IDLE_MS = 60_000;
const LOOK_EVERY_MS = 50;
/** How many times longer than its limit a check may take on a machine that has much else to do. */
const SLOWEST = 20;

/**
 * Threads for checks whose length a tenant or its model decides. Each runs one check at a time, and is terminated when
 * the check's time is up: nothing else reliably ends synchronous work.
 */
export class SchemaThreads {
  readonly #pool: Piscina;

  constructor(threads: number) {
    this.#pool = new Piscina({
      // The compiled file, also for a caller that runs from the sources.
      filename: createRequire(import.meta.url).resolve('@turnpike/tools/check-thread'),
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: KEEP_IDLE_MS,
      resourceLimits: MEMORY,
      // Preloaded modules, such as tracing, are meant for the program and not for its threads.
      execArgv: [],
      recordTiming: false,
    });
  }

  /**
   * Stops the check when its thread has worked on it for `limitMs` milliseconds, or when it exceeds its memory. Time in
   * which a busy machine runs something else does not count, up to `SLOWEST` times the limit.
   */
  async run<Given extends Task>(check: Given, limitMs: number): Promise<ThreadWork<Given>> {
    const { port1: begun, port2 } = new MessageChannel();
    const stop = new AbortController();
    let clock: ThreadClock | undefined;
    let watch: NodeJS.Timeout | undefined;
    begun.once('message', (threadId: number | null) => {
      const started = new ThreadClock(threadId);
      clock = started;
      watch = setInterval(
        () => {
          if (started.workedMs() >= limitMs || started.passedMs() >= SLOWEST * limitMs) stop.abort();
        },
        Math.min(limitMs, LOOK_EVERY_MS),
      );
    });
    let result: ResultOf<Given> | null = null;
    try {
      const task = { ...check, begun: port2 };
      result = await this.#pool.run(task, { transferList: [port2], signal: stop.signal });
    } catch (error) {
      if (!stop.signal.aborted && !isOutOfMemory(error)) throw error;
    } finally {
      clearInterval(watch);
      begun.close();
    }
    return { result, usedMs: clock?.workedMs() ?? 0 };
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** What a thread works from now on. Where the system does not tell, all time that passes counts as work. */
class ThreadClock {
  readonly #threadId: number | null;
  readonly #startedAt = performance.now();
  readonly #workedBeforeMs: number | null;
  #workedMs = 0;

  constructor(threadId: number | null) {
    this.#threadId = threadId;
    this.#workedBeforeMs = threadId === null ? null : threadTimeMs(threadId);
  }

  passedMs(): number {
    return performance.now() - this.#startedAt;
  }

  workedMs(): number {
    if (this.#threadId === null || this.#workedBeforeMs === null) return this.passedMs();
    // A thread that has just been ended is no longer listed.
    const now = threadTimeMs(this.#threadId);
    if (now !== null) this.#workedMs = now - this.#workedBeforeMs;
    return this.#workedMs;
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

import { createRequire } from 'node:module';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { CheckResult, CheckTask } from './check-input.ts';

/** The result of a check, and the time that its thread spent on it. */
export interface ThreadWork {
  /** Null where it was stopped. */
  result: CheckResult | null;
  usedMs: number;
}

const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** A thread takes some time to start, so an idle one is kept for a while. */
const KEEP_IDLE_MS = 60_000;

/**
 * Threads for checks whose length a tenant or its model decides. Each runs one check at a time, and is terminated when
 * the check's time is up: nothing else reliably ends synchronous work.
 */
export class SchemaThreads {
  readonly #pool: Piscina<CheckTask, CheckResult>;

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

  /** Stops the check `limitMs` milliseconds after a thread has begun it, or when it exceeds its memory. */
  async run(schema: string, input: string, limitMs: number): Promise<ThreadWork> {
    const { port1: begun, port2 } = new MessageChannel();
    const stop = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let beganAt = Infinity;
    begun.once('message', () => {
      beganAt = performance.now();
      timer = setTimeout(() => stop.abort(), limitMs);
    });
    let result: CheckResult | null = null;
    try {
      const task = { schema, input, begun: port2 };
      result = await this.#pool.run(task, { transferList: [port2], signal: stop.signal });
    } catch (error) {
      if (!stop.signal.aborted && !isOutOfMemory(error)) throw error;
    } finally {
      clearTimeout(timer);
      begun.close();
    }
    return { result, usedMs: Math.max(0, performance.now() - beganAt) };
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

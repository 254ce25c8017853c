import { createRequire } from 'node:module';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { CheckResult, CheckTask } from './check-thread.ts';

/** What came of a check, and how many milliseconds a thread worked for it; null where it was stopped. */
export interface ThreadWork {
  result: CheckResult | null;
  usedMs: number;
}

const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** A thread takes some time to start. */
const KEEP_IDLE_MS = 60_000;

/**
 * Threads for work whose length a tenant or its model decides. Each does one thing at a time, and is ended, whatever
 * it is at, when its time is over: nothing else ends synchronous work for certain.
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
      // What is loaded before the program, such as tracing, is meant for the program and not for a check.
      execArgv: [],
      recordTiming: false,
    });
  }

  /** Stopped after `limitMs` milliseconds from when a thread has begun, or where it takes more memory than it may. */
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

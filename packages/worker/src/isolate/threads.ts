import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Isolation } from '../define-tool.ts';
import { IS_TOOL_THREAD } from './is-tool-thread.ts';
import type { FromThread, ToThread } from './messages.ts';

const KEEP_IDLE_MS = 60_000;
const STACK_MB = 4;

/** A thread that runs one call at a time. */
export class ToolThread {
  readonly key: string;
  readonly #worker: Worker;
  #isOver = false;
  idleTimer: NodeJS.Timeout | undefined;

  constructor(key: string, memoryMb: number) {
    this.key = key;
    this.#worker = new Worker(new URL('thread.js', import.meta.url), {
      name: 'turnpike-tool',
      workerData: IS_TOOL_THREAD,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb, stackSizeMb: STACK_MB },
    });
    this.#worker.unref();
    this.#worker.on('error', () => (this.#isOver = true));
    this.#worker.on('exit', () => (this.#isOver = true));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** Listens until `stop`. `onEnd` is called where the thread ends, with its error or null. */
  listen(onMessage: (message: FromThread) => void, onEnd: (error: unknown) => void): { stop(): void } {
    const exited = (): void => onEnd(null);
    this.#worker.on('message', onMessage).on('error', onEnd).on('exit', exited);
    return {
      stop: () => void this.#worker.off('message', onMessage).off('error', onEnd).off('exit', exited),
    };
  }

  async end(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.idleTimer);
    await this.#worker.terminate();
  }
}

/** Threads for isolated tools: as many at once as the machine has processors, kept for a minute when idle. */
export class ToolThreads {
  readonly #idle = new Map<string, ToolThread[]>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** A thread that no other call uses. Waits for one; the caller must give it back. Throws the signal's reason. */
  async take({ module, memoryMb }: Required<Isolation>, signal: AbortSignal): Promise<ToolThread> {
    while (this.#running >= Math.max(2, availableParallelism())) await this.#untilOneEnds(signal);
    this.#running += 1;
    const key = `${memoryMb} ${module}`;
    const idle = this.#idle.get(key)?.pop();
    clearTimeout(idle?.idleTimer);
    return idle === undefined || idle.isOver ? new ToolThread(key, memoryMb) : idle;
  }

  /** Throws the signal's reason: then whoever waits behind is woken in its place. */
  async #untilOneEnds(signal: AbortSignal): Promise<void> {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.push(wake);
    await Promise.race([woken, aborted(signal)]);
    if (!signal.aborted) return;
    const place = this.#waiting.indexOf(wake);
    if (place === -1) this.#waiting.shift()?.();
    else this.#waiting.splice(place, 1);
    signal.throwIfAborted();
  }

  /** `isDone`: its code has ended. Any other thread is ended. */
  async giveBack(thread: ToolThread, isDone: boolean): Promise<void> {
    this.#running -= 1;
    this.#waiting.shift()?.();
    if (!isDone || thread.isOver) {
      await thread.end();
      return;
    }
    const idle = this.#idle.get(thread.key) ?? [];
    this.#idle.set(thread.key, [...idle, thread]);
    thread.idleTimer = setTimeout(() => {
      const rest = this.#idle.get(thread.key)?.filter((one) => one !== thread) ?? [];
      if (rest.length === 0) this.#idle.delete(thread.key);
      else this.#idle.set(thread.key, rest);
      void thread.end();
    }, KEEP_IDLE_MS).unref();
  }

  async close(): Promise<void> {
    const idle = [...this.#idle.values()].flat();
    this.#idle.clear();
    await Promise.all(idle.map((thread) => thread.end()));
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort').catch(() => undefined);
}

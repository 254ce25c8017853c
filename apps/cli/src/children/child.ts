import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { z } from 'zod';
import { describeError, Failure } from '../failure.ts';
import { shown } from '../paths.ts';
import { endProcess, sendSignal } from './end-process.ts';
import { lastWords } from './log-file.ts';

const KILL_WITHIN_MS = 5_000;

export interface ChildSettings {
  /** Its name in the list of processes and of its log file. */
  name: string;
  /** Its name in messages. */
  title: string;
  program: string;
  argument?: unknown;
  /** Loaded before the program, in order. */
  preloads?: readonly string[];
  /** Is given the messages that it sends besides the one that it is ready. */
  onMessage?: (message: unknown) => void;
  /** It is killed where it is not ready after this. Default: it may take as long as it takes. */
  readyWithinMs?: number;
  environment: Record<string, string>;
  logFile: string;
  /** After this it is killed. */
  stopWithinMs: number;
  /** The signal that ends it at once. A process that keeps a server needs one that it can pass on. */
  killSignal: 'SIGKILL' | 'SIGQUIT';
}

const helloSchema = z.looseObject({
  type: z.enum(['ready', 'listening']),
  port: z.int().optional(),
  url: z.string().optional(),
  serverPid: z.int().optional(),
});
/** The message with which a program reports that it is ready. */
export type Hello = z.infer<typeof helloSchema>;

/**
 * One of our programs as a child process. It leads a separate process group, so that Ctrl-C in the terminal reaches only
 * the command line, which then stops everything in order.
 */
export class Child {
  readonly settings: ChildSettings;
  readonly pid: number | undefined;
  /** Resolves when it is ready; rejects with a `Failure` where it exits instead. */
  readonly ready: Promise<Hello>;
  /** Resolves when it and its own children have exited, with how it ended. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  #isOver = false;

  constructor(settings: ChildSettings) {
    this.settings = settings;
    const log = openSync(settings.logFile, 'a');
    this.#process = fork(
      settings.program,
      settings.argument === undefined ? [] : [JSON.stringify(settings.argument)],
      {
        detached: true,
        env: settings.environment,
        execArgv: (settings.preloads ?? []).flatMap((preload) => ['--import', preload]),
        // It writes to its log file and not to a pipe, so that it can still log after this process has exited.
        stdio: ['ignore', log, log, 'ipc'],
      },
    );
    closeSync(log);
    this.pid = this.#process.pid;
    this.ended = this.#watchEnd();
    this.ready = this.#watchReady();
    // Callers may wait for it, or not: a rejection is never unhandled.
    this.ready.catch(() => undefined);
  }

  /** Signals it to stop, and waits until it has. */
  stop(): Promise<void> {
    return this.#end('SIGTERM', this.settings.stopWithinMs);
  }

  /** Ends it at once. */
  kill(): Promise<void> {
    return this.#end(this.settings.killSignal, KILL_WITHIN_MS);
  }

  /** A sentence on how it ended, with the reason from its log where it ended by itself. */
  describeEnd(how: string): string {
    const { title, logFile } = this.settings;
    const reason = how.startsWith('SIG') ? '' : `: ${lastWords(logFile) || 'it did not say why'}`;
    return `${title} ended (${how})${reason.replace(/\.+$/, '')}. Log: ${shown(logFile)}.`;
  }

  /** Sends it a message, where it still runs. */
  tell(message: { type: string }): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  async #end(signal: NodeJS.Signals, withinMs: number): Promise<void> {
    if (this.#isOver) return;
    this.#process.kill(signal);
    const limit = setTimeout(() => this.#process.kill('SIGKILL'), withinMs);
    await this.ended;
    clearTimeout(limit);
  }

  async #watchEnd(): Promise<string> {
    const how = await new Promise<string>((resolve) => {
      this.#process.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
      this.#process.once('error', (error) => {
        if (this.pid === undefined) resolve(describeError(error));
      });
    });
    if (this.pid !== undefined) {
      const group = -this.pid;
      await endProcess(group, () => sendSignal(group, 0));
    }
    this.#isOver = true;
    return how;
  }

  async #watchReady(): Promise<Hello> {
    const { readyWithinMs, title } = this.settings;
    const hello = new Promise<Hello>((resolve, reject) => {
      const limit =
        readyWithinMs === undefined
          ? undefined
          : setTimeout(() => {
              reject(new Failure(`${title} was not ready within ${readyWithinMs / 1000} s, and was killed.`));
              void this.kill();
            }, readyWithinMs);
      this.#process.on('message', (message) => {
        const parsed = helloSchema.safeParse(message);
        if (!parsed.success) {
          this.settings.onMessage?.(message);
          return;
        }
        clearTimeout(limit);
        resolve(parsed.data);
      });
      this.#process.once('exit', () => clearTimeout(limit));
    });
    const end = this.ended.then((how): never => {
      throw new Failure(this.describeEnd(how));
    });
    return Promise.race([hello, end]);
  }
}

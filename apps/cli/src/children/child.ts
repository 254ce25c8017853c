import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { z } from 'zod';
import { describeError, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { endProcess, sendSignal } from './end-process.ts';
import { lastWords } from './log-file.ts';

const KILL_WITHIN_MS = 5_000;

export interface ChildSettings {
  /** As in the list of processes and in the name of its log. */
  name: string;
  /** For sentences. */
  title: string;
  program: string;
  argument?: unknown;
  /** Loaded before the program. */
  preload?: string;
  environment: Record<string, string>;
  logFile: string;
  /** After this it is killed. */
  stopWithinMs: number;
  /** What ends it at once. A keeper of a server needs one that it can pass on. */
  killSignal: 'SIGKILL' | 'SIGQUIT';
}

const helloSchema = z.looseObject({
  port: z.int().optional(),
  url: z.string().optional(),
  serverPid: z.int().optional(),
});
/** The message by which a program says that it is ready. */
export type Hello = z.infer<typeof helloSchema>;

/**
 * One of our programs as a process of its own. It leads a process group of its own, so that the
 * terminal's Ctrl-C reaches the command line alone, which then stops all in order.
 */
export class Child {
  readonly settings: ChildSettings;
  readonly pid: number | undefined;
  /** Rejects with a `Failure` when it ends instead. */
  readonly ready: Promise<Hello>;
  /** Resolves when it has ended, and all that it started too; with a word on how. */
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
        execArgv: settings.preload === undefined ? [] : ['--import', settings.preload],
        // Its log is its own, not a pipe to us: it must be able to say something after we are gone.
        stdio: ['ignore', log, log, 'ipc'],
      },
    );
    closeSync(log);
    this.pid = this.#process.pid;
    this.ended = this.#watchEnd();
    this.ready = this.#watchReady();
    // Whoever waits for it hears of it; nobody has to.
    this.ready.catch(() => undefined);
  }

  /** Asks it to stop, and waits until it has. */
  stop(): Promise<void> {
    return this.#end('SIGTERM', this.settings.stopWithinMs);
  }

  /** Ends it at once. */
  kill(): Promise<void> {
    return this.#end(this.settings.killSignal, KILL_WITHIN_MS);
  }

  /** A sentence on its end; where it ended by itself, with the last thing that it said. */
  describeEnd(how: string): string {
    const { title, logFile } = this.settings;
    const reason = how.startsWith('SIG') ? '' : `: ${lastWords(logFile) || 'it did not say why'}`;
    return `${title} ended (${how})${reason.replace(/\.+$/, '')}. Log: ${shown(logFile)}.`;
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
    const hello = new Promise<Hello>((resolve, reject) => {
      this.#process.once('message', (message) => {
        const parsed = helloSchema.safeParse(message);
        if (parsed.success) resolve(parsed.data);
        else reject(new Failure(`${this.settings.title} said something else than that it is ready.`));
      });
    });
    const end = this.ended.then((how): never => {
      throw new Failure(this.describeEnd(how));
    });
    return Promise.race([hello, end]);
  }
}

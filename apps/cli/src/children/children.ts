import { Failure } from '../failure.ts';
import { Child, type ChildSettings } from './child.ts';
import { boundLog } from './log-file.ts';
import { knownProcess, removeRunFile, replaceRunFile, type Run } from './run-file.ts';
import { takeRunFile } from './take-run-file.ts';

const LOOK_AT_LOGS_EVERY_MS = 5_000;

/** All that was started, written down so that a later start can end what a kill left behind. */
export class Children {
  readonly #runFile: string;
  readonly #run: Run;
  readonly #children: Child[] = [];
  readonly #firstOfAll = new Set<Promise<unknown>>();
  readonly #logWatch: NodeJS.Timeout;
  #isStopping = false;

  private constructor(runFile: string, run: Run) {
    this.#runFile = runFile;
    this.#run = run;
    this.#logWatch = setInterval(() => this.#boundLogs(), LOOK_AT_LOGS_EVERY_MS).unref();
  }

  /** Ends leftovers. Throws a `Failure` where another process holds this file. */
  static async open(runFile: string): Promise<Children> {
    return new Children(runFile, await takeRunFile(runFile));
  }

  /** Starts a program. */
  start(settings: ChildSettings): Child {
    if (this.#isStopping) throw new Failure('All is being stopped.');
    const child = new Child(settings);
    this.#children.push(child);
    this.#remember(settings.name, child.pid);
    void child.ready.then(
      ({ serverPid }) => this.#remember(`${settings.name} server`, serverPid),
      () => undefined,
    );
    void child.ended.then(() => this.#children.splice(this.#children.indexOf(child), 1));
    return child;
  }

  /** Work that must not be cut off: stopping begins when it is done. */
  async finishFirst<Result>(work: Promise<Result>): Promise<Result> {
    this.#firstOfAll.add(work);
    try {
      return await work;
    } finally {
      this.#firstOfAll.delete(work);
    }
  }

  /** Stops all, the last one started first; copies of one program together. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.allSettled(this.#firstOfAll);
    for (;;) {
      const last = this.#children.at(-1);
      if (last === undefined) break;
      const copies = this.#children.filter((child) => child.settings.program === last.settings.program);
      await Promise.all(copies.map((child) => child.stop()));
    }
    clearInterval(this.#logWatch);
    removeRunFile(this.#runFile);
  }

  /** Ends all at once, without order. */
  async kill(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#children.map((child) => child.kill()));
    removeRunFile(this.#runFile);
  }

  #remember(name: string, pid: number | undefined): void {
    const known = pid === undefined ? null : knownProcess(name, pid);
    if (known === null) return;
    // One that was started again takes the place of the one that died.
    this.#run.children = [...this.#run.children.filter((other) => other.name !== name), known];
    if (!this.#isStopping) replaceRunFile(this.#runFile, this.#run);
  }

  #boundLogs(): void {
    for (const { settings } of this.#children) boundLog(settings.logFile);
  }
}

import { Failure } from '../failure.ts';
import { Child, type ChildSettings } from './child.ts';
import { boundLog } from './log-file.ts';
import { knownProcess, removeRunFile, replaceRunFile, type Run } from './run-file.ts';
import { acquireRunFile } from './acquire-run-file.ts';

const LOOK_AT_LOGS_EVERY_MS = 5_000;

/** All started processes, recorded so that a later start can end those that a kill left behind. */
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

  /** Ends leftover processes. Throws a `Failure` where another start holds the file. */
  static async open(runFile: string): Promise<Children> {
    return new Children(runFile, await acquireRunFile(runFile));
  }

  /** Starts a program. */
  start(settings: ChildSettings): Child {
    if (this.#isStopping) throw new Failure('Everything is being stopped.');
    const child = new Child(settings);
    this.#children.push(child);
    this.#record(settings.name, child.pid);
    void child.ready.then(
      ({ serverPid }) => this.#record(`${settings.name} server`, serverPid),
      () => undefined,
    );
    void child.ended.then(() => this.#children.splice(this.#children.indexOf(child), 1));
    return child;
  }

  /** Runs work that must not be interrupted: stopping waits for it. */
  async finishFirst<Result>(work: Promise<Result>): Promise<Result> {
    this.#firstOfAll.add(work);
    try {
      return await work;
    } finally {
      this.#firstOfAll.delete(work);
    }
  }

  /** Stops all processes, the last started first; copies of one program together. */
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

  /** Ends all processes at once. */
  async kill(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#children.map((child) => child.kill()));
    removeRunFile(this.#runFile);
  }

  #record(name: string, pid: number | undefined): void {
    const known = pid === undefined ? null : knownProcess(name, pid);
    if (known === null) return;
    // A restarted process replaces the one that died.
    this.#run.children = [...this.#run.children.filter((other) => other.name !== name), known];
    if (!this.#isStopping) replaceRunFile(this.#runFile, this.#run);
  }

  #boundLogs(): void {
    for (const { settings } of this.#children) boundLog(settings.logFile);
  }
}

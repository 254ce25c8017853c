import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../children/child.ts';
import { Failure } from '../failure.ts';
import { END_WITH_PARENT, PROGRAMS, REGISTER } from '../paths.ts';
import type { CodeWorkerArgument } from '../programs/code-worker.ts';
import { configMessageSchema, type ConfigAgent } from '../project/config-message.ts';
import { say } from '../say.ts';
import type { Site } from './site.ts';
import { workerSettings } from './start-programs.ts';

/** A config that waits for ever is reported. */
const READY_WITHIN_MS = 60_000;
/** Workers with older code that still run turns. The turns of one more are given back, and continue with newer code. */
const MOST_RETIRED = 4;
const RESTART_AFTER_MS = 1_000;

export interface Replaced {
  /** The names of the tools in code. */
  tools: string[];
  /** Whether a worker with the code before it was there. */
  turns: boolean;
}

/**
 * The worker with the project's code. Each version of the code runs in a process of its own: the newest claims turns,
 * and the one before ends with the last turn that it has.
 */
export class CodeWorkers {
  /** Of the newest code that could be loaded. */
  agents: readonly ConfigAgent[] = [];
  readonly #site: Site;
  readonly #config: string;
  readonly #environment: Record<string, string>;
  readonly #retired: Child[] = [];
  #loaded = new Set<string>();
  #missing = new Set<string>();
  #isBroken = false;
  #current: Child | null = null;
  #names = 0;

  constructor(site: Site, config: string, environment: Record<string, string>) {
    this.#site = site;
    this.#config = config;
    this.#environment = environment;
  }

  get signal(): AbortSignal {
    return this.#site.ending.signal;
  }

  /** Whether a worker runs that claims turns. */
  get isServing(): boolean {
    return this.#current !== null;
  }

  /** Files that the newest code names, and that were not there. */
  get missing(): ReadonlySet<string> {
    return this.#missing;
  }

  /** The files of the code; where it could not be loaded, also their folders: a file may be missing. */
  files(): ReadonlySet<string> {
    const files = new Set([this.#config, ...this.#loaded, ...this.#missing]);
    if (!this.#isBroken) return files;
    return new Set([...files, ...[...files].map((file) => dirname(file))]);
  }

  /**
   * Starts a worker with the code as it is now, and retires the one before. Throws a `Failure`, with file and line,
   * where the code cannot be loaded: then the one before goes on.
   */
  async replace(): Promise<Replaced> {
    const loaded = new Set<string>();
    const missing = new Set<string>();
    let failure: string | null = null;
    let found: { agents: ConfigAgent[]; tools: string[] } = { agents: [], tools: [] };
    const argument: CodeWorkerArgument = { config: this.#config };
    this.#names = (this.#names % (2 * MOST_RETIRED)) + 1;
    const child = this.#site.children.start({
      ...(await workerSettings(this.#site, `worker-${this.#names}`, this.#environment)),
      title: `The worker with ${this.#isBroken ? 'the mended' : 'this'} code`,
      program: PROGRAMS.codeWorker,
      argument,
      preloads: [END_WITH_PARENT, REGISTER],
      readyWithinMs: READY_WITHIN_MS,
      onMessage(message) {
        const parsed = configMessageSchema.safeParse(message);
        if (!parsed.success) return;
        if (parsed.data.type === 'loaded') loaded.add(parsed.data.path);
        else if (parsed.data.type === 'missing') missing.add(parsed.data.path);
        else if (parsed.data.type === 'failed') failure = parsed.data.message;
        else found = parsed.data;
      },
    });
    try {
      await child.ready;
    } catch (error) {
      this.#isBroken = true;
      this.#loaded = new Set([...this.#loaded, ...loaded]);
      this.#missing = missing;
      throw failure === null ? error : new Failure(failure);
    }
    this.#isBroken = false;
    this.#loaded = loaded;
    this.#missing = missing;
    this.agents = found.agents;
    const before = this.#current;
    this.#current = child;
    void child.ended.then((how) => this.#onEnd(child, how));
    if (before !== null) await this.#retire(before);
    return { tools: found.tools, turns: before !== null };
  }

  async #retire(child: Child): Promise<void> {
    child.tell({ type: 'retire' });
    this.#retired.push(child);
    void child.ended.then(() => this.#retired.splice(this.#retired.indexOf(child), 1));
    const [oldest] = this.#retired;
    if (oldest === undefined || this.#retired.length <= MOST_RETIRED) return;
    say('  The oldest code that still ran turns is stopped; its turns continue with newer code.');
    await oldest.stop();
  }

  /** A worker that died is replaced; other workers would continue its turns, and there is no other here. */
  async #onEnd(child: Child, how: string): Promise<void> {
    if (this.signal.aborted || this.#current !== child) return;
    this.#current = null;
    say(`${child.describeEnd(how)} It is started again.`);
    while (!this.signal.aborted && this.#current === null) {
      await delay(RESTART_AFTER_MS, undefined, { signal: this.signal }).catch(() => undefined);
      if (this.signal.aborted || this.#isBroken) return;
      await this.replace().then(
        () => say('The worker is back.'),
        (error: unknown) => say(error instanceof Error ? error.message : String(error)),
      );
    }
  }
}

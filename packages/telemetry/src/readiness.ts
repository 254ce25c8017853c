import { TurnpikeError } from '@turnpike/contract';

/** Each throws where what it looks at cannot be used. */
export type ReadinessChecks = Record<string, () => Promise<void>>;

export interface ReadinessReport {
  status: 'ok' | 'not_ready' | 'stopping';
  checks: Record<string, 'up' | 'down'>;
  /** What is wrong, in sentences; left out where nothing is. */
  problems?: string[];
}

export interface ReadinessSettings {
  /** One that takes longer is down, in milliseconds. */
  limitMs?: number;
  /** However often it is asked: no more than one look in so many milliseconds. */
  keepMs?: number;
  isStopping(): boolean;
}

/** Whether this process can do its work now: for probes. */
export class Readiness {
  readonly #checks: ReadinessChecks;
  readonly #limitMs: number;
  readonly #keepMs: number;
  readonly #isStopping: () => boolean;
  #look: { at: number; problems: Promise<Map<string, string>> } | null = null;

  constructor(checks: ReadinessChecks, { limitMs = 2_000, keepMs = 1_000, isStopping }: ReadinessSettings) {
    this.#checks = checks;
    this.#limitMs = limitMs;
    this.#keepMs = keepMs;
    this.#isStopping = isStopping;
  }

  async read(): Promise<ReadinessReport> {
    const now = performance.now();
    if (this.#look === null || now - this.#look.at >= this.#keepMs) {
      this.#look = { at: now, problems: this.#findProblems() };
    }
    const problems = await this.#look.problems;
    const checks = Object.keys(this.#checks).map(
      (name) => [name, problems.has(name) ? 'down' : 'up'] as const,
    );
    return {
      status: this.#isStopping() ? 'stopping' : problems.size > 0 ? 'not_ready' : 'ok',
      checks: Object.fromEntries(checks),
      ...(problems.size > 0 ? { problems: [...problems.values()] } : {}),
    };
  }

  async #findProblems(): Promise<Map<string, string>> {
    const found = await Promise.all(
      Object.entries(this.#checks).map(async ([name, check]) => {
        const problem = await this.#findProblem(name, check);
        return problem === null ? [] : [[name, problem] as const];
      }),
    );
    return new Map(found.flat());
  }

  async #findProblem(name: string, check: () => Promise<void>): Promise<string | null> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`${name}: no response in ${this.#limitMs} ms.`), this.#limitMs);
    });
    const answer = check().then(
      () => null,
      // What drivers say may name hosts and users: that is for the log.
      (error: unknown) => (error instanceof TurnpikeError ? error.message : `${name}: it cannot be reached.`),
    );
    try {
      return await Promise.race([answer, limit]);
    } finally {
      clearTimeout(timer);
    }
  }
}

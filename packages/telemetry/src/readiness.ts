import { TurnpikeError } from '@turnpike/contract';

/** Each check throws where its dependency cannot be used. */
export type ReadinessChecks = Record<string, () => Promise<void>>;

export interface ReadinessReport {
  status: 'ok' | 'not_ready' | 'stopping';
  checks: Record<string, 'up' | 'down'>;
  /** One sentence for each failed check; left out where there are none. */
  problems?: string[];
}

export interface ReadinessSettings {
  /** A check that takes longer has failed. Milliseconds. */
  limitMs?: number;
  /** The result is reused for this long. Milliseconds. */
  keepMs?: number;
  isStopping(): boolean;
}

/** Whether this process can work now, for probes. */
export class Readiness {
  readonly #checks: ReadinessChecks;
  readonly #limitMs: number;
  readonly #keepMs: number;
  readonly #isStopping: () => boolean;
  #latest: { at: number; problems: Promise<Map<string, string>> } | null = null;

  constructor(checks: ReadinessChecks, { limitMs = 2_000, keepMs = 1_000, isStopping }: ReadinessSettings) {
    this.#checks = checks;
    this.#limitMs = limitMs;
    this.#keepMs = keepMs;
    this.#isStopping = isStopping;
  }

  async read(): Promise<ReadinessReport> {
    const now = performance.now();
    if (this.#latest === null || now - this.#latest.at >= this.#keepMs) {
      this.#latest = { at: now, problems: this.#findProblems() };
    }
    const problems = await this.#latest.problems;
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
      // Messages of drivers may name hosts and users, and belong in the log only.
      (error: unknown) => (error instanceof TurnpikeError ? error.message : `${name}: it cannot be reached.`),
    );
    try {
      return await Promise.race([answer, limit]);
    } finally {
      clearTimeout(timer);
    }
  }
}

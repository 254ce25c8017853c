import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BOUNDARY_LINE } from './boundaries.mjs';
import type { ChaosCluster, ChaosWorker } from './chaos-cluster.ts';
import { untilAllEnded } from './until-ended.ts';

/** The boundaries at which a turn's workers die, in their order. */
export type CrashPlan = Record<string, readonly string[]>;

/** A boundary that a turn passed at one of its attempts, or at which it lost its worker. */
interface Passed {
  what: string;
  turnId: string;
  attempt: number;
  boundary: string;
}

const WORKERS = 3;

/** Workers that run one turn at a time, so that each crash is one turn's alone, and die where a plan says. */
export class CrashPool {
  readonly #chaos: ChaosCluster;
  readonly #folder: string;
  readonly #workers: ChaosWorker[] = [];

  private constructor(chaos: ChaosCluster, folder: string) {
    this.#chaos = chaos;
    this.#folder = folder;
    chaos.beforeStop(() => rm(folder, { recursive: true }));
  }

  static async create(chaos: ChaosCluster): Promise<CrashPool> {
    return new CrashPool(chaos, await mkdtemp(join(tmpdir(), 'turnpike-test-crashes-')));
  }

  /** Replaces each worker that dies, until every turn has ended; then none of them runs any more. */
  async run(plan: CrashPlan): Promise<void> {
    const ended = new AbortController();
    const over = untilAllEnded(this.#chaos).finally(() => ended.abort());
    const keepOne = async (): Promise<void> => {
      while (!ended.signal.aborted) {
        const worker = await this.#start(plan);
        const child = worker.program.process;
        if (child.signalCode === null) await Promise.race([once(child, 'exit'), over]);
        await this.#chaos.killWorker(worker);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, keepOne));
    await over;
  }

  /** What a turn passed at its first attempt, in order. */
  firstAttempt(turnId: string): string[] {
    return this.#workers
      .flatMap(readPassed)
      .filter((passed) => passed.what === 'boundary' && passed.turnId === turnId && passed.attempt === 1)
      .map((passed) => passed.boundary);
  }

  /** Where workers died with this turn in their hands, in the order in which they were started. */
  crashesOf(turnId: string): string[] {
    return this.#workers
      .flatMap(readPassed)
      .filter((passed) => passed.what === 'crash' && passed.turnId === turnId)
      .map((passed) => passed.boundary);
  }

  async #start(plan: CrashPlan): Promise<ChaosWorker> {
    const worker = await this.#chaos.startWorker({
      environment: {
        CONCURRENCY: '1',
        CHAOS_CRASH_PLAN: JSON.stringify(plan),
        CHAOS_CRASH_FOLDER: this.#folder,
      },
      preload: 'crash.mjs',
    });
    this.#workers.push(worker);
    return worker;
  }
}

function readPassed({ program }: ChaosWorker): Passed[] {
  return program.lines
    .map((line) => BOUNDARY_LINE.exec(line)?.groups)
    .filter((groups) => groups !== undefined)
    .map((groups) => ({
      what: String(groups['what']),
      turnId: String(groups['turnId']),
      attempt: Number(groups['attempt']),
      boundary: String(groups['boundary']),
    }));
}

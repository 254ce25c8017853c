import { setTimeout as delay } from 'node:timers/promises';
import type { ChaosCluster } from './chaos-cluster.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * One fault against the cluster; false where there was nothing to hit. It may take its time: the
 * next one comes after it.
 */
export type Fault = (chaos: ChaosCluster, random: SeededRandom) => Promise<boolean>;

/** Injects a fault every so often, until it is stopped. */
export class FaultInjector {
  /** Faults so far. */
  count = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #failure: { reason: unknown } | null = null;

  constructor(chaos: ChaosCluster, random: SeededRandom, settings: { everyMs: number; fault: Fault }) {
    this.#running = this.#run(chaos, random, settings);
    chaos.beforeStop(() => this.stop());
    this.#running.catch((reason: unknown) => {
      this.#failure = { reason };
    });
  }

  /** Throws what a fault threw: no fault comes after that. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.reason;
  }

  /** Waits for the fault under way. Throws what a fault threw. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(
    chaos: ChaosCluster,
    random: SeededRandom,
    { everyMs, fault }: { everyMs: number; fault: Fault },
  ): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const waitMs = everyMs * random.between(0.5, 1.5);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (await fault(chaos, random)) this.count += 1;
    }
  }
}

/**
 * Kills a worker; another one replaces it once it has started, and none is killed before that, so
 * that a slow machine gets on as well.
 */
export const killWorker: Fault = async (chaos, random) => {
  const worker = random.pick([...chaos.workers]);
  if (worker === undefined || chaos.isReplacing) return false;
  await chaos.killWorker(worker);
  chaos.replaceWorker();
  return true;
};

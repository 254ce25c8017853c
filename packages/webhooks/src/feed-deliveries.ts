import type { Backplane } from '@turnpike/backplane';
import {
  deadLetterDeliveries,
  expireDeliveries,
  lookForDeliveries,
  purgeDeliveries,
  pickWaitingDeliveries,
  reissueDeliveryJobs,
  runPasses,
  takeFreshDeliveries,
  takeUncheckedDeliveries,
  type Database,
  type DeliveriesFound,
  type Passes,
} from '@turnpike/store';

export interface FeederSettings {
  /** A pass at least so often. Milliseconds. */
  everyMs: number;
  /** A job that no worker has claimed for this long is checked. Milliseconds. */
  jobAgeMs: number;
  /** Deliveries to one receiver that are in the queue or being sent. */
  window: number;
  /** The longest that one delivery to a receiver that may be down can take. Milliseconds. */
  probeMs: number;
  /** A delivery that was due for so long and could not be tried is dead. Milliseconds. */
  giveUpAfterMs: number;
  /** How long delivered deliveries are kept; dead letters twice as long. Milliseconds. */
  keepMs: number;
}

interface FeederParts {
  database: Database;
  backplane: Backplane;
  onError: (error: unknown) => void;
}

const RECEIVERS = 500;
const BATCH = 500;
const PURGE_EVERY_MS = 60_000;

const ALL: DeliveriesFound = {
  waiting: true,
  fresh: true,
  unchecked: true,
  undeliverable: true,
  expired: true,
};

/**
 * Enqueues the deliveries that are due, and enqueues those again whose jobs were lost; any number of processes may do
 * so at once. A pass that fails is reported, and the next one continues.
 */
export class DeliveryFeeder {
  readonly #parts: FeederParts;
  readonly #settings: FeederSettings;
  readonly #passes: Passes;
  #isStopped = false;
  #lastMaintenance = -Infinity;
  #lastPurgeAt = performance.now();

  constructor(parts: FeederParts, settings: FeederSettings) {
    this.#parts = parts;
    this.#settings = settings;
    const { everyMs } = settings;
    const { onError } = parts;
    this.#passes = runPasses({ everyMs, onError, pass: (isNudged) => this.#run(isNudged) });
  }

  /** Something may be due now. Never throws. */
  nudge(): void {
    this.#passes.nudge();
  }

  /** Waits for the pass in progress. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#passes.stop();
  }

  async #run(isNudged: boolean): Promise<void> {
    // Where it was nudged, there is something to do.
    const work = isNudged ? ALL : await this.#look();
    await this.#attempt(() => this.#enqueueDue(work));
    if (performance.now() - this.#lastMaintenance >= this.#settings.everyMs / 2) {
      this.#lastMaintenance = performance.now();
      if (work.unchecked) await this.#attempt(() => this.#reissueLost());
      await this.#attempt(() => this.#giveUp(work));
      await this.#attempt(() => this.#purge());
    }
  }

  /** Mostly nothing is due. */
  async #look(): Promise<DeliveriesFound> {
    try {
      return await lookForDeliveries(this.#parts.database.pool, this.#settings);
    } catch (error) {
      this.#parts.onError(error);
      return ALL;
    }
  }

  async #attempt(stage: () => Promise<void>): Promise<void> {
    try {
      await stage();
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  /** Deliveries that wait for their receiver come first, so that new ones do not delay them. */
  async #enqueueDue(work: DeliveriesFound): Promise<void> {
    const { database, backplane } = this.#parts;
    const { window, probeMs } = this.#settings;
    for (let seen = work.waiting ? RECEIVERS : 0; seen === RECEIVERS && !this.#isStopped;) {
      const settings = { limit: RECEIVERS, window, probeMs };
      const { picked, receivers } = await pickWaitingDeliveries(database.pool, settings);
      if (picked.length > 0) await backplane.deliveries.enqueue(picked);
      seen = receivers;
    }
    for (let seen = work.fresh ? BATCH : 0; seen === BATCH && !this.#isStopped;) {
      const fresh = await takeFreshDeliveries(database.pool, { limit: BATCH, window });
      if (fresh.picked.length > 0) await backplane.deliveries.enqueue(fresh.picked);
      seen = fresh.seen;
    }
  }

  /** Jobs are lost when the queue is wiped, or when a worker dies. */
  async #reissueLost(): Promise<void> {
    const { database, backplane } = this.#parts;
    const settings = { limit: BATCH, olderThanMs: this.#settings.jobAgeMs };
    const unchecked = await takeUncheckedDeliveries(database.pool, settings);
    if (unchecked.length === 0) return;
    const lost = await backplane.deliveries.missing(unchecked);
    if (lost.length === 0) return;
    await backplane.deliveries.enqueue(await reissueDeliveryJobs(database.pool, lost));
  }

  async #giveUp(work: DeliveriesFound): Promise<void> {
    const { pool } = this.#parts.database;
    if (work.undeliverable) await deadLetterDeliveries(pool, BATCH);
    if (work.expired) await expireDeliveries(pool, { afterMs: this.#settings.giveUpAfterMs, limit: BATCH });
  }

  async #purge(): Promise<void> {
    if (performance.now() - this.#lastPurgeAt < PURGE_EVERY_MS) return;
    const { keepMs } = this.#settings;
    const purged = await purgeDeliveries(this.#parts.database.pool, { keepMs, limit: BATCH });
    // While there is more, every pass purges.
    if (purged < BATCH) this.#lastPurgeAt = performance.now();
  }
}

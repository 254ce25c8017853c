import type { Backplane } from '@turnpike/backplane';
import {
  deadLetterDeliveries,
  expireDeliveries,
  purgeDeliveries,
  pickWaitingDeliveries,
  reissueDeliveryJobs,
  takeFreshDeliveries,
  takeUncheckedDeliveries,
  type Database,
} from '@turnpike/store';

export interface FeederSettings {
  /** A pass at least so often. Milliseconds. */
  everyMs: number;
  /** A job that nobody took up for this long is looked after. Milliseconds. */
  jobAgeMs: number;
  /** Deliveries to one receiver in the queue and on their way. */
  window: number;
  /** How long a single delivery to a receiver that may be down takes at most. Milliseconds. */
  probeMs: number;
  /** What was due for so long and could not be tried is dead. Milliseconds. */
  giveUpAfterMs: number;
  /** How long deliveries that arrived are kept; dead ones twice as long. Milliseconds. */
  keepMs: number;
}

interface FeederParts {
  database: Database;
  backplane: Backplane;
  onError: (error: unknown) => void;
}

const RECEIVERS = 500;
const BATCH = 500;
/** Passes that somebody asked for lie this far apart at least, so that many ends are one question. */
const SPACING_MS = 100;
const FORGET_EVERY_MS = 60_000;

/**
 * Brings what is due from the database to the queue, and looks after what got lost on the way; any number of
 * processes may do so at once. A pass that fails is reported, and the next one goes on.
 */
export class DeliveryFeeder {
  readonly #parts: FeederParts;
  readonly #settings: FeederSettings;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | null = null;
  #isNudged = false;
  #isStopped = false;
  #lastLookAround = -Infinity;
  #lastPurgeAt = performance.now();

  constructor(parts: FeederParts, settings: FeederSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#schedule(settings.everyMs * Math.random());
  }

  /** Something may be due now. Never throws. */
  nudge(): void {
    if (this.#isNudged) return;
    this.#isNudged = true;
    if (this.#running === null) this.#schedule(SPACING_MS);
  }

  /** Waits for the pass under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(waitMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, waitMs);
  }

  async #run(): Promise<void> {
    this.#isNudged = false;
    await this.#attempt(() => this.#jobDue());
    if (performance.now() - this.#lastLookAround >= this.#settings.everyMs / 2) {
      this.#lastLookAround = performance.now();
      await this.#attempt(() => this.#repeatJobs());
      await this.#attempt(() => this.#giveUp());
      await this.#attempt(() => this.#forget());
    }
    this.#running = null;
    // With jitter, so that many processes do not come at once.
    this.#schedule(this.#isNudged ? SPACING_MS : this.#settings.everyMs * (0.5 + Math.random()));
  }

  async #attempt(stage: () => Promise<void>): Promise<void> {
    try {
      await stage();
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  /** What waits first, so that what is fresh does not keep it waiting. */
  async #jobDue(): Promise<void> {
    const { database, backplane } = this.#parts;
    const { window, probeMs } = this.#settings;
    for (let seen = RECEIVERS; seen === RECEIVERS && !this.#isStopped;) {
      const settings = { limit: RECEIVERS, window, probeMs };
      const { picked, receivers } = await pickWaitingDeliveries(database.pool, settings);
      if (picked.length > 0) await backplane.deliveries.enqueue(picked);
      seen = receivers;
    }
    for (let seen = BATCH; seen === BATCH && !this.#isStopped;) {
      const fresh = await takeFreshDeliveries(database.pool, { limit: BATCH, window });
      if (fresh.picked.length > 0) await backplane.deliveries.enqueue(fresh.picked);
      seen = fresh.seen;
    }
  }

  /** Those of a queue that was wiped, or of a worker that died. */
  async #repeatJobs(): Promise<void> {
    const { database, backplane } = this.#parts;
    const settings = { limit: BATCH, olderThanMs: this.#settings.jobAgeMs };
    const unchecked = await takeUncheckedDeliveries(database.pool, settings);
    if (unchecked.length === 0) return;
    const lost = await backplane.deliveries.missing(unchecked);
    if (lost.length === 0) return;
    await backplane.deliveries.enqueue(await reissueDeliveryJobs(database.pool, lost));
  }

  async #giveUp(): Promise<void> {
    const { pool } = this.#parts.database;
    await deadLetterDeliveries(pool, BATCH);
    await expireDeliveries(pool, { afterMs: this.#settings.giveUpAfterMs, limit: BATCH });
  }

  async #forget(): Promise<void> {
    if (performance.now() - this.#lastPurgeAt < FORGET_EVERY_MS) return;
    const { keepMs } = this.#settings;
    const forgotten = await purgeDeliveries(this.#parts.database.pool, { keepMs, limit: BATCH });
    // As long as there is more, with each pass.
    if (forgotten < BATCH) this.#lastPurgeAt = performance.now();
  }
}

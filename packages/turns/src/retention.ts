import {
  pruneEvents,
  purgeIdempotencyRecords,
  purge,
  PURGEABLE,
  type Database,
  type Purgeable,
} from '@turnpike/store';
import type { RetentionSettings } from './retention-settings.ts';

/** Records of one statement, and statements of one pass: more than all requests of a pass's time can add. */
const RECORDS = 1_000;
const TURNS = 50;
const MOST_BATCHES = 40;

/** Rows to look at in one transaction: few of what has much below it. */
const WINDOWS: Record<Purgeable, number> = {
  sessions: 20,
  turns: 100,
  agentVersions: 50,
  ledgerEntries: 1_000,
  auditEntries: 1_000,
  revokedKeys: 1_000,
};
/** Windows of one kind in one pass. */
const MOST_WINDOWS = 20;
/** Once all that is old was looked at; what is kept is kept for days. */
const REST_MS = 10 * 60 * 1000;

/** Deletes what is no longer kept, in bounded batches. Any number of processes may do so at once. */
export class Retention {
  readonly #database: Database;
  readonly #settings: RetentionSettings;
  readonly #walks = new Map<Purgeable, { after: string; restsUntil: number }>();

  constructor(database: Database, settings: RetentionSettings) {
    this.#database = database;
    this.#settings = settings;
  }

  /** Deletes idempotency records whose time has passed; returns how many. */
  purgeIdempotencyRecords(): Promise<number> {
    return whileFull(RECORDS, () => purgeIdempotencyRecords(this.#database.pool, RECORDS));
  }

  /** Deletes the events of turns that ended long ago; returns of how many turns. */
  async pruneEvents(): Promise<number> {
    const days = this.#settings.eventRetentionDays;
    return days === null ? 0 : whileFull(TURNS, () => pruneEvents(this.#database.pool, days, TURNS));
  }

  /** Deletes what has a retention time of its own; returns how many rows. */
  async purge(): Promise<number> {
    let deleted = 0;
    for (const kind of PURGEABLE) deleted += await this.#walk(kind);
    return deleted;
  }

  async #walk(kind: Purgeable): Promise<number> {
    const keptDays = this.#settings.retentionDays[kind];
    const walk = this.#walks.get(kind) ?? { after: '', restsUntil: 0 };
    if (keptDays === null || performance.now() < walk.restsUntil) return 0;
    let deleted = 0;
    for (let window = 0; window < MOST_WINDOWS; window++) {
      const step = { after: walk.after, keptDays, limit: WINDOWS[kind] };
      const result = await purge(this.#database, kind, step);
      deleted += result.deleted;
      walk.after = result.last ?? '';
      this.#walks.set(kind, walk);
      if (result.last !== null) continue;
      walk.restsUntil = performance.now() + REST_MS;
      break;
    }
    return deleted;
  }
}

/** Goes on at once as long as a batch is full, up to a bound. Returns the sum. */
async function whileFull(limit: number, batch: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let batches = 0; batches < MOST_BATCHES; batches++) {
    const count = await batch();
    sum += count;
    if (count < limit) break;
  }
  return sum;
}

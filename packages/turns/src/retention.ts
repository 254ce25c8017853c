import {
  pruneEvents,
  purgeIdempotencyRecords,
  purge,
  PURGEABLE,
  type Database,
  type Purgeable,
} from '@turnpike/store';
import type { RetentionSettings } from './retention-settings.ts';

/** Records per statement, and statements per pass: more than the requests of that time can add. */
const RECORDS = 1_000;
const TURNS = 50;
const MOST_BATCHES = 40;

/** Rows to look at in one transaction: few for rows with many dependents. */
const WINDOWS: Record<Purgeable, number> = {
  sessions: 20,
  turns: 100,
  batches: 100,
  scheduleRuns: 1_000,
  agentVersions: 50,
  ledgerEntries: 1_000,
  auditEntries: 1_000,
  revokedKeys: 1_000,
};
/** Windows of one kind in one pass. */
const MOST_WINDOWS = 20;
/** The pause after all old rows were looked at: retention is counted in days. */
const REST_MS = 10 * 60 * 1000;

/** Deletes rows whose retention has passed, in bounded batches. Any number of processes may do so at once. */
export class Retention {
  readonly #database: Database;
  readonly #settings: RetentionSettings;
  readonly #walks = new Map<Purgeable, { after: string; restsUntil: number }>();

  constructor(database: Database, settings: RetentionSettings) {
    this.#database = database;
    this.#settings = settings;
  }

  /** Deletes expired idempotency records. Returns how many. */
  purgeIdempotencyRecords(): Promise<number> {
    return whileFull(RECORDS, () => purgeIdempotencyRecords(this.#database.pool, RECORDS));
  }

  /** Prunes the events of turns that ended long ago. Returns the number of turns. */
  async pruneEvents(): Promise<number> {
    const days = this.#settings.eventRetentionDays;
    return days === null ? 0 : whileFull(TURNS, () => pruneEvents(this.#database.pool, days, TURNS));
  }

  /** Purges rows with a retention setting of their own. Returns how many. */
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

/** Continues immediately while batches are full, up to a bound. Returns the sum. */
async function whileFull(limit: number, batch: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let batches = 0; batches < MOST_BATCHES; batches++) {
    const count = await batch();
    sum += count;
    if (count < limit) break;
  }
  return sum;
}

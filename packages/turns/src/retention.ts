import {
  listOwnRetention,
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
/** Tenants with a time of their own, in one pass. */
const TENANTS = 20;
/** That are remembered: tenants may be deleted. */
const MOST_WALKS = 10_000;
/** Windows of one kind in one pass. */
const MOST_WINDOWS = 20;
/** The pause after all old rows were looked at: retention is counted in days. */
const REST_MS = 10 * 60 * 1000;

/** Deletes rows whose retention has passed, in bounded batches. Any number of processes may do so at once. */
export class Retention {
  readonly #database: Database;
  readonly #settings: RetentionSettings;
  /** By kind, and tenant. */
  readonly #walks = new Map<string, { after: string; restsUntil: number }>();
  /** How far the tenants are gone through; `isUnfinished`: a walk of one before is not at its end. */
  readonly #tenants = new Map<Purgeable, { after: string; isUnfinished: boolean; restsUntil: number }>();

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

  /** Purges rows whose time has passed: that of the settings, or of their tenant. Returns how many. */
  async purge(): Promise<number> {
    let deleted = 0;
    for (const kind of PURGEABLE) {
      const keptDays = this.#settings.retentionDays[kind];
      if (keptDays !== null) deleted += await this.#walk(kind, { tenantId: null, keptDays });
      deleted += await this.#walkTenants(kind);
    }
    return deleted;
  }

  /** A few of the tenants that have a time of their own, the next ones with the next pass; after the last one it rests. */
  async #walkTenants(kind: Purgeable): Promise<number> {
    const progress = this.#tenants.get(kind) ?? { after: '', isUnfinished: false, restsUntil: 0 };
    if (performance.now() < progress.restsUntil) return 0;
    const page = { after: progress.after, limit: TENANTS };
    const tenants = await listOwnRetention(this.#database.pool, kind, page);
    let deleted = 0;
    for (const tenant of tenants) {
      if (tenant.keptDays > 0) deleted += await this.#walk(kind, tenant);
    }
    const isLast = tenants.length < TENANTS;
    const isUnfinished =
      progress.isUnfinished || tenants.some(({ tenantId }) => this.#isUnderWay(kind, tenantId));
    this.#tenants.set(kind, {
      after: isLast ? '' : (tenants.at(-1)?.tenantId ?? ''),
      isUnfinished: !isLast && isUnfinished,
      restsUntil: isLast && !isUnfinished ? performance.now() + REST_MS : 0,
    });
    return deleted;
  }

  #isUnderWay(kind: Purgeable, tenantId: string): boolean {
    return (this.#walks.get(`${kind} ${tenantId}`)?.after ?? '') !== '';
  }

  async #walk(
    kind: Purgeable,
    { tenantId, keptDays }: { tenantId: string | null; keptDays: number },
  ): Promise<number> {
    const key = `${kind} ${tenantId ?? ''}`;
    const walk = this.#walks.get(key) ?? { after: '', restsUntil: 0 };
    if (performance.now() < walk.restsUntil) return 0;
    if (this.#walks.size > MOST_WALKS) this.#walks.clear();
    let deleted = 0;
    for (let window = 0; window < MOST_WINDOWS; window++) {
      const step = { tenantId, after: walk.after, keptDays, limit: WINDOWS[kind] };
      const result = await purge(this.#database, kind, step);
      deleted += result.deleted;
      walk.after = result.last ?? '';
      this.#walks.set(key, walk);
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

import type { BatchWait, Limits } from '@turnpike/contract';
import {
  findBatchTenants,
  findTurnsToCancel,
  finishBatches,
  holdBatch,
  lockNextBatch,
  lockWaiting,
  markFedLines,
  readBatchWindow,
  readLimits,
  readNextLines,
  removeBatchLines,
  setBatchWait,
  settleBatchLines,
  transaction,
  tryLockBatches,
  type Database,
  type Sql,
} from '@turnpike/store';
import type { Backplane } from '@turnpike/backplane';
import { BudgetCheck } from './budget-check.ts';
import { cancelListedTurns } from './cancel-listed-turns.ts';
import { CapacityCache } from './capacity-cache.ts';
import type { Dispatcher } from './dispatcher.ts';
import { feedLines, type FedLines } from './feed-lines.ts';

/** Lines that become turns in one transaction, and the bytes after which they are fewer. */
const GROUP = 50;
const GROUP_BYTES = 8 * 1024 * 1024;
/** Groups of a tenant in one pass. */
const MOST_GROUPS = 20;
const TENANTS = 100;
/** Turns of cancelled batches that one pass asks to stop. */
const CANCELLED = 500;
/** Statements that remove lines of deleted batches in one pass. */
const MOST_REMOVALS = 4;
/** The share of its slots that batches of a tenant use: its other turns find the rest free. */
const SLOT_SHARE = 0.75;
/** So many slots are counted on while fewer workers have announced themselves. */
const LEAST_SLOTS = 6;
/** The share of `max_queued_turns` that batches use. */
const QUEUE_SHARE = 0.5;

/** What a pass did. */
export interface Feeding {
  /** Lines that became turns. */
  started: number;
  /** Lines that ended, by status: `refused` are those that never became a turn. */
  ended: Record<string, number>;
  /** Batches that ended. */
  finished: number;
  /** What kept tenants from being fed: the others were. */
  errors: unknown[];
}

export interface FeederParts {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
  /** Of what fails after it is committed. */
  reportError: (error: unknown, about: Record<string, string>) => void;
}

/**
 * Makes turns of the lines of batches, a few at a time, and ends batches. Any number of processes may run passes at
 * once: a tenant's batches are fed by one of them. A line and its turn are one commit, so whoever dies in between
 * leaves a line that is no turn yet, or one that is.
 */
export class BatchFeeder {
  readonly #parts: FeederParts;
  readonly #capacity = new CapacityCache();
  readonly #budgetCheck = new BudgetCheck();

  constructor(parts: FeederParts) {
    this.#parts = parts;
  }

  /** All tenants; returns those with open batches as well. Throws where they cannot be listed. */
  async pass(): Promise<Feeding & { tenants: ReadonlySet<string> }> {
    const { pool } = this.#parts.database;
    const feeding = nothingFed();
    const all = new Set<string>();
    for (let after = ''; ;) {
      const tenants = await findBatchTenants(pool, after, TENANTS);
      for (const tenantId of tenants) {
        all.add(tenantId);
        await this.#feedTenant(tenantId, feeding);
      }
      if (tenants.length < TENANTS) break;
      after = tenants.at(-1) ?? '';
    }
    for (let removal = 0; removal < MOST_REMOVALS; removal++) if (!(await removeBatchLines(pool))) break;
    return { ...feeding, tenants: all };
  }

  /** Of these tenants. Never throws. */
  async passOf(tenantIds: Iterable<string>): Promise<Feeding> {
    const feeding = nothingFed();
    for (const tenantId of tenantIds) await this.#feedTenant(tenantId, feeding);
    return feeding;
  }

  async #feedTenant(tenantId: string, feeding: Feeding): Promise<void> {
    const progress: Progress = { held: new Set(), groupSize: GROUP };
    try {
      for (let group = 0; group < MOST_GROUPS; group++) {
        const fed = await this.#feedGroup(tenantId, progress, feeding);
        if (fed === null) return;
        if (group === 0) await cancelListedTurns(this.#parts, tenantId, fed.toCancel);
        if (!fed.hasMore) return;
      }
    } catch (error) {
      feeding.errors.push(error);
    }
  }

  /** One transaction. Null where another process feeds this tenant. */
  async #feedGroup(
    tenantId: string,
    progress: Progress,
    feeding: Feeding,
  ): Promise<{ toCancel: string[]; hasMore: boolean } | null> {
    const { database, dispatcher, backplane } = this.#parts;
    const done = await transaction(database.pool, async (sql) => {
      if (!(await tryLockBatches(sql, tenantId))) return null;
      const limits = await readLimits(sql, tenantId);
      if (limits === null) return null;
      const exhausted = await this.#budgetCheck.findExhausted(sql, tenantId);
      const caps = {
        waiting: this.#capacity.limitToEnforce('waiting', tenantId, limits),
        sessions: this.#capacity.limitToEnforce('sessions', tenantId, limits),
      };
      if (caps.waiting !== null) await lockWaiting(sql, tenantId);
      const settled = await settleBatchLines(sql, tenantId);
      const fed: Fed =
        exhausted === null
          ? await feedNext(sql, { tenantId, limits, caps }, progress)
          : { ...NOTHING, wait: 'budget_exceeded' };
      await setBatchWait(sql, tenantId, fed.wait);
      const finished = await finishBatches(sql, tenantId);
      return { settled, fed, finished, toCancel: await findTurnsToCancel(sql, tenantId, CANCELLED) };
    });
    if (done === null) return null;
    const { settled, fed, finished, toCancel } = done;
    for (const { status, lines } of settled) count(feeding.ended, status, lines);
    const started = fed.lines.filter(({ turnId }) => turnId !== null).length;
    count(feeding.ended, 'refused', fed.lines.length - started);
    feeding.started += started;
    feeding.finished += finished.length;
    for (let turn = 0; turn < started; turn++)
      this.#capacity.added('waiting', tenantId, turn === 0 ? fed.counted.waiting : null);
    const sessions = started - fed.followed.length;
    for (let session = 0; session < sessions; session++)
      this.#capacity.added('sessions', tenantId, session === 0 ? fed.counted.sessions : null);
    if (started > 0) dispatcher.changed({ tenantId });
    for (const turn of fed.followed) backplane.live.changed({ ...turn, eventCount: null });
    if (fed.isAlone) progress.groupSize = 1;
    else progress.groupSize = Math.min(GROUP, 4 * progress.groupSize);
    return { toCancel, hasMore: fed.hasMore };
  }
}

/** How far a pass is with a tenant. */
interface Progress {
  /** Batches whose next line waits for something of its own. */
  held: Set<string>;
  /** Lines to read for the next group. */
  groupSize: number;
}

interface Fed extends FedLines {
  /** There is a free place, and perhaps another line for it. */
  hasMore: boolean;
}
const NOTHING: Fed = {
  lines: [],
  counted: { waiting: null, sessions: null },
  wait: null,
  followed: [],
  isAlone: false,
  hasMore: false,
};

function nothingFed(): Feeding {
  return { started: 0, ended: {}, finished: 0, errors: [] };
}

function count(counts: Record<string, number>, status: string, lines: number): void {
  if (lines > 0) counts[status] = (counts[status] ?? 0) + lines;
}

/** Lines that may become turns now; 0: the tenant has as many open as it may. */
async function freePlaces(sql: Sql, tenantId: string, limits: Limits): Promise<number> {
  const { open, active, slots } = await readBatchWindow(sql, tenantId);
  const mostOpen = Math.min(limits.max_open_batch_turns, Math.ceil(limits.max_queued_turns * QUEUE_SHARE));
  const usable = Math.min(Math.max(slots, LEAST_SLOTS), limits.max_running_turns);
  const mostActive = Math.max(1, Math.floor(usable * SLOT_SHARE));
  return Math.min(mostOpen - open, mostActive - active);
}

/** The next lines of the batch that was fed the longest time ago. */
async function feedNext(
  sql: Sql,
  of: { tenantId: string; limits: Limits; caps: { waiting: number | null; sessions: number | null } },
  { held, groupSize }: Progress,
): Promise<Fed> {
  const places = await freePlaces(sql, of.tenantId, of.limits);
  if (places <= 0) return NOTHING;
  const batch = await lockNextBatch(sql, of.tenantId, [...held]);
  if (batch === null) return NOTHING;
  const wanted = Math.min(places, groupSize);
  const stored = await readNextLines(sql, batch, { lines: wanted, bytes: GROUP_BYTES });
  const fed = await feedLines(sql, { ...of, batch }, stored);
  if (fed.lines.length > 0) await markFedLines(sql, batch.id, fed.lines);
  if (isOfBatch(fed.wait)) {
    held.add(batch.id);
    await holdBatch(sql, batch.id, fed.wait);
    return { ...fed, wait: null, hasMore: true };
  }
  const hasMore = fed.wait === null && (places > fed.lines.length || stored.length < wanted);
  return { ...fed, hasMore };
}

/** True for what only this batch waits for: the tenant's others are fed meanwhile. */
function isOfBatch(wait: BatchWait | null): wait is 'file_not_ready' {
  return wait === 'file_not_ready';
}

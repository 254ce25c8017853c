import type { Backplane } from '@turnpike/backplane';
import { dispatchTurns, type Database } from '@turnpike/store';

/** What may have changed: whose head, and who may have a turn to run or a place to give. */
export interface Change {
  sessionId?: string;
  tenantId: string;
}

/** How many changes go into one statement. */
const BATCH = 500;

/** After a dispatch that had no place for a tenant's new turns, it is tried again for them at most so often. */
const FULL_MS = 50;

/**
 * Dispatches after changes, in batches: while one statement is in flight, changes are collected for the next. A dispatch
 * that fails is reported and left to the reconciler: what was accepted is in the database already.
 */
export class Dispatcher {
  readonly #database: Database;
  readonly #backplane: Backplane;
  readonly #onError: (error: unknown) => void;
  #changes: Change[] = [];
  /** Tenants that had no place a moment ago, and whether turns were added since. */
  readonly #full = new Map<string, { wasAdded: boolean }>();
  /** Tenants whose turns were added since the last batch. */
  #added = new Set<string>();
  #isRunning = false;
  /** The one that is dealt with now, or will be next. */
  #batch: Promise<void> = Promise.resolve();
  #noted = 0;
  #dealt = 0;

  constructor(parts: { database: Database; backplane: Backplane; onError: (error: unknown) => void }) {
    this.#database = parts.database;
    this.#backplane = parts.backplane;
    this.#onError = parts.onError;
  }

  /**
   * Takes note of a turn that was added and may run. Where its tenant has no place for it, nothing is lost by
   * waiting: who makes room, dispatches. Never throws.
   */
  added(tenantId: string): void {
    const full = this.#full.get(tenantId);
    if (full !== undefined) {
      full.wasAdded = true;
      return;
    }
    this.#added.add(tenantId);
    this.changed({ tenantId });
  }

  /** Takes note of a change; the dispatch happens soon. Never throws. */
  changed(change: Change): void {
    this.#changes.push(change);
    this.#noted += 1;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Resolves once every change that was noted so far is dealt with, whatever comes meanwhile. */
  async settle(): Promise<void> {
    for (const [tenantId, full] of this.#full) if (full.wasAdded) this.changed({ tenantId });
    const noted = this.#noted;
    while (this.#dealt < noted) await this.#batch;
  }

  async #run(): Promise<void> {
    while (this.#changes.length > 0) {
      this.#batch = this.#runBatch();
      await this.#batch;
    }
    this.#isRunning = false;
  }

  async #runBatch(): Promise<void> {
    // One turn of the event loop, so that requests which arrived together are dispatched together.
    await new Promise(setImmediate);
    const batch = this.#changes.splice(0, BATCH);
    const added = this.#added;
    this.#added = new Set();
    try {
      await this.#dispatch(batch, added);
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#dealt += batch.length;
    }
  }

  async #dispatch(batch: readonly Change[], added: ReadonlySet<string>): Promise<void> {
    const sessionIds = new Set(batch.flatMap((change) => change.sessionId ?? []));
    const tenantIds = new Set(batch.map((change) => change.tenantId));
    const { turns, full } = await dispatchTurns(this.#database.pool, [...sessionIds], [...tenantIds]);
    for (const tenantId of full) if (added.has(tenantId)) this.#holdAdditions(tenantId);
    if (turns.length > 0) await this.#backplane.enqueue(turns);
  }

  /** Looks once more at the end: who made room in the meantime may not have seen the turn yet. */
  #holdAdditions(tenantId: string): void {
    if (this.#full.has(tenantId)) return;
    const full = { wasAdded: false };
    this.#full.set(tenantId, full);
    setTimeout(() => {
      this.#full.delete(tenantId);
      if (full.wasAdded) this.added(tenantId);
      else this.changed({ tenantId });
    }, FULL_MS).unref();
  }
}

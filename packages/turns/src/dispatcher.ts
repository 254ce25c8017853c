import type { Backplane } from '@turnpike/backplane';
import { dispatchTurns, type Database, type DispatchedTurn } from '@turnpike/store';

/**
 * What may have changed: sessions whose head may be new, and tenants that may have a ready turn or a free
 * slot.
 */
export interface Change {
  sessionId?: string;
  tenantId: string;
}

/** The most changes in one statement. */
const BATCH = 500;

/** After a dispatch found no slot for a tenant's new turns, it is tried again for them at most this often. */
const FULL_MS = 50;

/**
 * Dispatches after changes, in batches: while one statement is in flight, changes are collected for the next. A dispatch
 * that fails is reported and left to the reconciler: what was accepted is in the database already.
 */
export class Dispatcher {
  readonly #database: Database;
  readonly #backplane: Backplane;
  readonly #onError: (error: unknown) => void;
  readonly #onDispatched: (tenantIds: ReadonlySet<string>) => void;
  #changes: Change[] = [];
  /** Tenants that had no free slot a moment ago, and whether turns were added since. */
  readonly #full = new Map<string, { wasAdded: boolean }>();
  /** Jobs of turns that were dispatched with their insert. */
  #jobs: DispatchedTurn[] = [];
  /** Resolves once those, and the ones before, are in the queue. */
  #jobsAdded: Promise<void> = Promise.resolve();
  /** Tenants whose turns were added since the last batch. */
  #added = new Set<string>();
  #isRunning = false;
  /** The batch that is being dispatched, or will be next. */
  #batch: Promise<void> = Promise.resolve();
  #noted = 0;
  #dealt = 0;

  /** `onDispatched`: called after each batch of changes, with their tenants. */
  constructor(parts: {
    database: Database;
    backplane: Backplane;
    onError: (error: unknown) => void;
    onDispatched?: (tenantIds: ReadonlySet<string>) => void;
  }) {
    this.#database = parts.database;
    this.#backplane = parts.backplane;
    this.#onError = parts.onError;
    this.#onDispatched = parts.onDispatched ?? (() => undefined);
  }

  /**
   * Records that a ready turn was added. If its tenant has no free slot, it waits: whoever frees a slot
   * dispatches. Never throws.
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

  /** Adds the job of a turn that was dispatched with its insert, with others that come at once. Never throws. */
  dispatched(job: DispatchedTurn): void {
    this.#jobs.push(job);
    if (this.#jobs.length > 1) return;
    this.#jobsAdded = Promise.all([this.#jobsAdded, this.#addJobs()]).then(() => undefined);
  }

  /** Records a change; the dispatch follows soon. Never throws. */
  changed(change: Change): void {
    this.#changes.push(change);
    this.#noted += 1;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Resolves once every change and job recorded so far is dispatched, whatever is recorded meanwhile. */
  async settle(): Promise<void> {
    const jobsAdded = this.#jobsAdded;
    for (const [tenantId, full] of this.#full) if (full.wasAdded) this.changed({ tenantId });
    const noted = this.#noted;
    while (this.#dealt < noted) await this.#batch;
    await jobsAdded;
  }

  async #run(): Promise<void> {
    while (this.#changes.length > 0) {
      this.#batch = this.#runBatch();
      await this.#batch;
    }
    this.#isRunning = false;
  }

  async #runBatch(): Promise<void> {
    // Waits one turn of the event loop, so that requests that arrived together are dispatched together.
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
      this.#onDispatched(new Set(batch.map(({ tenantId }) => tenantId)));
    }
  }

  async #addJobs(): Promise<void> {
    await new Promise(setImmediate);
    const jobs = this.#jobs;
    this.#jobs = [];
    try {
      await this.#backplane.enqueue(jobs);
    } catch (error) {
      this.#onError(error);
    }
  }

  async #dispatch(batch: readonly Change[], added: ReadonlySet<string>): Promise<void> {
    const sessionIds = new Set(batch.flatMap((change) => change.sessionId ?? []));
    const tenantIds = new Set(batch.map((change) => change.tenantId));
    const { turns, full } = await dispatchTurns(this.#database.pool, [...sessionIds], [...tenantIds]);
    for (const tenantId of full) if (added.has(tenantId)) this.#holdAdditions(tenantId);
    if (turns.length > 0) await this.#backplane.enqueue(turns);
  }

  /** Tries once more at the end: whoever freed a slot meanwhile may not have seen the turn yet. */
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

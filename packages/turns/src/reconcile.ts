import { isFinal, type TurnStatus } from '@turnpike/contract';
import type { Backplane } from '@turnpike/backplane';
import {
  countSpending,
  expireActions,
  expireDeadlines,
  expireLeases,
  findReadyTenants,
  findUnreadySessions,
  purgeWorkers,
  probeOutages,
  promoteDelayed,
  reissueJobs,
  takeUncheckedTurns,
  type Database,
  type WaitedTurn,
} from '@turnpike/store';
import type { Dispatcher } from './dispatcher.ts';
import type { RetentionSettings } from './retention-settings.ts';
import { Retention } from './retention.ts';
import { announceTurns } from './turn-signals.ts';

export interface ReconcileSettings extends RetentionSettings {
  /** A turn that lost this many workers fails. */
  maxLostLeases: number;
  /** A job that nobody took up for this long is looked after. Milliseconds. */
  jobAgeMs: number;
}

/** What a pass repaired. */
export interface Repairs {
  expiredLeases: number;
  expiredActions: number;
  missedDeadlines: number;
  lostJobs: number;
  unreadySessions: number;
  dueTurns: number;
  probes: number;
  readyTenants: number;
  forgottenAnswers: number;
  forgottenWorkers: number;
  countedTenants: number;
  prunedTurns: number;
  /** Rows that were kept for as long as they were to be. */
  purgedRows: number;
}

const BATCH = 200;
/** Of what may end turns, which takes more of the database. */
const ENDS_BATCH = 50;
/** Batches of ended leases in one pass: a machine with thousands of turns may have died. */
const MOST_BATCHES = 40;
/** Of turns whose time has come: many may be scheduled for one moment. */
const DUE_BATCH = 1_000;
/** So often a turn looks whether the model that it and others wait for is back. */
const PROBE_EVERY_MS = 5_000;

/**
 * Compares the truth with the backplane, and repairs the backplane; bounded batches of each
 * kind a pass. Any number of processes may run passes at once: each row is taken by one of them.
 */
export class Reconciliation {
  readonly #parts: { database: Database; backplane: Backplane; dispatcher: Dispatcher };
  readonly #settings: ReconcileSettings;
  readonly #retention: Retention;
  #lastSession = '';
  #lastTenant = '';

  constructor(
    parts: { database: Database; backplane: Backplane; dispatcher: Dispatcher },
    settings: ReconcileSettings,
  ) {
    this.#parts = parts;
    this.#settings = settings;
    this.#retention = new Retention(parts.database, settings);
  }

  /**
   * One pass. A stage that fails keeps none of the others from their work; the first error is thrown
   * in the end, and the next pass goes on.
   */
  async pass(): Promise<Repairs> {
    const errors: unknown[] = [];
    const attempt = async (stage: () => Promise<number>): Promise<number> => {
      try {
        return await stage();
      } catch (error) {
        errors.push(error);
        return 0;
      }
    };
    const { pool } = this.#parts.database;
    const repairs: Repairs = {
      expiredLeases: await attempt(() => this.#expireLeases()),
      expiredActions: await attempt(() => this.#expireActions()),
      missedDeadlines: await attempt(() => this.#missDeadlines()),
      unreadySessions: await attempt(() => this.#promoteSessions()),
      dueTurns: await attempt(() => this.#promoteDelayed()),
      probes: await attempt(() => this.#probeOutages()),
      readyTenants: await attempt(() => this.#dispatchTenants()),
      forgottenWorkers: await attempt(() => purgeWorkers(pool, BATCH)),
      countedTenants: await attempt(() => countSpending(pool, BATCH)),
      lostJobs: 0,
      forgottenAnswers: 0,
      prunedTurns: 0,
      purgedRows: 0,
    };
    await this.#parts.dispatcher.settle();
    repairs.lostJobs = await attempt(() => this.#repeatJobs());
    // Last, since nobody waits for it.
    repairs.forgottenAnswers = await attempt(() => this.#retention.purgeIdempotencyRecords());
    repairs.prunedTurns = await attempt(() => this.#retention.pruneEvents());
    repairs.purgedRows = await attempt(() => this.#retention.purge());
    if (errors.length > 0) throw errors[0];
    return repairs;
  }

  async #expireLeases(): Promise<number> {
    const { database, backplane, dispatcher } = this.#parts;
    const { maxLostLeases } = this.#settings;
    let count = 0;
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const expired = await expireLeases(database.pool, { limit: ENDS_BATCH, maxLostLeases });
      count += expired.length;
      for (const { sessionId, tenantId } of expired) dispatcher.changed({ sessionId, tenantId });
      const ended = expired.filter((lease) => isFinal(lease.status));
      await announceTurns(
        backplane,
        ended.map((lease) => ({ turn_id: lease.turnId, status: lease.status })),
      );
      if (expired.length < ENDS_BATCH) break;
    }
    return count;
  }

  /** What nobody answered in time counts as denied, and the turn goes on. */
  async #expireActions(): Promise<number> {
    const expired = await expireActions(this.#parts.database.pool, ENDS_BATCH);
    for (const turn of expired) this.#parts.dispatcher.changed(turn);
    await this.#announce(expired, 'queued');
    return expired.length;
  }

  /** Turns whose deadline passed while no worker held them. */
  async #missDeadlines(): Promise<number> {
    const missed = await expireDeadlines(this.#parts.database.pool, ENDS_BATCH);
    for (const turn of missed) this.#parts.dispatcher.changed(turn);
    await this.#announce(missed, 'incomplete');
    return missed.length;
  }

  async #announce(turns: readonly WaitedTurn[], status: TurnStatus): Promise<void> {
    const signals = turns.map((turn) => ({ turn_id: turn.turnId, status }));
    await announceTurns(this.#parts.backplane, signals);
  }

  /** Sessions whose next turn nobody promoted, since a process died after the one before it ended. */
  async #promoteSessions(): Promise<number> {
    const sessions = await findUnreadySessions(this.#parts.database.pool, this.#lastSession, BATCH);
    for (const session of sessions) this.#parts.dispatcher.changed(session);
    this.#lastSession = sessions.length < BATCH ? '' : (sessions.at(-1)?.sessionId ?? '');
    return sessions.length;
  }

  /** Turns that were scheduled, or wait before another try, and whose time has come. */
  async #promoteDelayed(): Promise<number> {
    const { database, dispatcher } = this.#parts;
    let count = 0;
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const promoted = await promoteDelayed(database.pool, DUE_BATCH);
      const turns = promoted.reduce((sum, { turns: ofTenant }) => sum + ofTenant, 0);
      for (const { tenantId } of promoted) dispatcher.changed({ tenantId });
      count += turns;
      if (turns < DUE_BATCH) break;
    }
    return count;
  }

  /** Of the turns that wait for a model which is away, one of each outage. */
  async #probeOutages(): Promise<number> {
    const tenants = await probeOutages(this.#parts.database.pool, BATCH, PROBE_EVERY_MS);
    for (const tenantId of tenants) this.#parts.dispatcher.changed({ tenantId });
    return tenants.length;
  }

  /** Tenants with turns that wait for a place. */
  async #dispatchTenants(): Promise<number> {
    const tenants = await findReadyTenants(this.#parts.database.pool, this.#lastTenant, BATCH);
    for (const tenantId of tenants) this.#parts.dispatcher.changed({ tenantId });
    this.#lastTenant = tenants.length < BATCH ? '' : (tenants.at(-1) ?? '');
    return tenants.length;
  }

  async #repeatJobs(): Promise<number> {
    const { database, backplane } = this.#parts;
    const unchecked = await takeUncheckedTurns(database.pool, {
      limit: BATCH,
      olderThanMs: this.#settings.jobAgeMs,
    });
    if (unchecked.length === 0) return 0;
    const lost = await backplane.missing(unchecked);
    if (lost.length === 0) return 0;
    const raised = await reissueJobs(database.pool, lost);
    await backplane.enqueue(raised);
    return raised.length;
  }
}

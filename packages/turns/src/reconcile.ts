import { isFinal, type TurnStatus } from '@turnpike/contract';
import type { Backplane } from '@turnpike/backplane';
import {
  countSpending,
  expireActions,
  expireDeadlines,
  expireLeases,
  findReadyTenants,
  findUnreadySessions,
  keepBuilds,
  listLiveQueues,
  lookForWork,
  offerElsewhere,
  putAside,
  takeBackUnconsumed,
  takeUp,
  purgeWorkers,
  probeOutages,
  promoteDelayed,
  reissueJobs,
  takeUncheckedTurns,
  type Database,
  type WaitedTurn,
  type WorkFound,
} from '@turnpike/store';
import type { Dispatcher } from './dispatcher.ts';
import { eraseUsers } from './erase-users.ts';
import type { RetentionSettings } from './retention-settings.ts';
import { Retention } from './retention.ts';
import { settleAllFamilies } from './settle-families.ts';
import { announceTurns } from './turn-signals.ts';

export interface ReconcileSettings extends RetentionSettings {
  /** A turn that lost this many workers fails. */
  maxLostLeases: number;
  /** A job that no worker has claimed for this long is checked. Milliseconds. */
  jobAgeMs: number;
  /** A turn whose tools no live worker has says so after this time. Milliseconds. */
  toolWaitMs: number;
}

/** What a pass repaired. */
export interface Repairs {
  expiredLeases: number;
  expiredActions: number;
  missedDeadlines: number;
  /** Child turns that were cancelled since their parents had ended. */
  orphans: number;
  /** Turns that were parked although their child turns had ended. */
  wokenParents: number;
  lostJobs: number;
  unreadySessions: number;
  dueTurns: number;
  probes: number;
  readyTenants: number;
  purgedIdempotencyRecords: number;
  removedWorkers: number;
  /** Builds that no worker had for a month. */
  removedBuilds: number;
  /** Turns that were in a queue whose workers are gone. */
  unconsumedTurns: number;
  /** Turns that began to wait for a worker with their tools. */
  turnsWithoutWorker: number;
  /** Turns whose tools workers have again. */
  turnsWithWorker: number;
  countedTenants: number;
  prunedTurns: number;
  /** Sessions of users who are being erased. */
  erasedSessions: number;
  /** Rows deleted because their retention had passed. */
  purgedRows: number;
}

const BATCH = 200;
/** Of stages that may end turns, which cost the database more. */
const ENDS_BATCH = 50;
/** Batches of expired leases in one pass: a machine with thousands of turns may have died. */
const MOST_BATCHES = 40;
/** Batches of delayed turns: many may be scheduled for the same time. */
const DUE_BATCH = 1_000;
/** Passes after workers came or went, and one of so many others, that look for queues without workers. */
const LATE_PASSES = 5;
const RARE_PASSES = 30;
/** One of so many passes does all, whatever the look before it found. */
const WHOLE_PASSES = 10;
/** How often a parked turn probes whether its model responds again. */
const PROBE_EVERY_MS = 5_000;

/** The stages of a whole pass; it reads the queues itself. */
const ALL: Omit<WorkFound, 'liveQueues'> & { liveQueues: null } = {
  expiredLeases: true,
  expiredActions: true,
  missedDeadlines: true,
  unreadySessions: true,
  dueTurns: true,
  readyTurns: true,
  turnsWithoutWorker: true,
  families: true,
  uncheckedJobs: true,
  probes: true,
  lateWorkers: true,
  spending: true,
  expiredRecords: true,
  oldEvents: true,
  userErasures: true,
  liveQueues: null,
};

/**
 * Compares Postgres with the backplane and repairs the backplane, in bounded batches for each kind. Any
 * number of processes may run passes at once: each row is handled by one of them.
 */
export class Reconciliation {
  readonly #parts: { database: Database; backplane: Backplane; dispatcher: Dispatcher };
  readonly #settings: ReconcileSettings;
  readonly #retention: Retention;
  #lastSession = '';
  #lastTenant = '';
  /** Those that live workers consume. */
  #queues: string[] = [];
  #passesWithQueues = 0;
  #passes = 0;
  readonly #families = { orphan: '', parent: '' };

  constructor(
    parts: { database: Database; backplane: Backplane; dispatcher: Dispatcher },
    settings: ReconcileSettings,
  ) {
    this.#parts = parts;
    this.#settings = settings;
    this.#retention = new Retention(parts.database, settings);
  }

  /**
   * One pass. A stage that fails does not stop the others; the first error is thrown at the end, and the next
   * pass continues.
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
    const work = await this.#look(errors);
    /** Only where the look found something for it. */
    const where = (isFound: boolean, stage: () => Promise<number>): Promise<number> =>
      isFound ? attempt(stage) : Promise.resolve(0);
    const isWhole = work === ALL;
    const repairs: Repairs = {
      expiredLeases: await where(work.expiredLeases, () => this.#expireLeases()),
      expiredActions: await where(work.expiredActions, () => this.#expireActions()),
      missedDeadlines: await where(work.missedDeadlines, () => this.#missDeadlines()),
      orphans: 0,
      wokenParents: 0,
      unreadySessions: await where(work.unreadySessions, () => this.#promoteSessions()),
      dueTurns: await where(work.dueTurns, () => this.#promoteDelayed()),
      probes: await where(work.probes, () => this.#probeOutages()),
      unconsumedTurns: await attempt(() => this.#takeBackUnconsumed(work.liveQueues)),
      turnsWithWorker: await where(work.turnsWithoutWorker, () => this.#takeUp()),
      turnsWithoutWorker: await where(work.readyTurns, () => this.#putAside()),
      readyTenants: await where(work.readyTurns, () => this.#dispatchTenants()),
      removedWorkers: await where(work.lateWorkers, () => purgeWorkers(pool, BATCH)),
      removedBuilds: await where(isWhole, () => keepBuilds(pool, BATCH)),
      countedTenants: await where(work.spending, () => countSpending(pool, BATCH)),
      lostJobs: 0,
      purgedIdempotencyRecords: 0,
      prunedTurns: 0,
      erasedSessions: 0,
      purgedRows: 0,
    };
    // After the stages that end turns.
    repairs.orphans = await where(work.families, async () => {
      const { orphans, woken } = await settleAllFamilies(this.#parts, this.#families);
      repairs.wokenParents = woken;
      return orphans;
    });
    await this.#parts.dispatcher.settle();
    repairs.lostJobs = await where(work.uncheckedJobs, () => this.#reissueLostJobs());
    // Last, because nothing waits for it.
    repairs.purgedIdempotencyRecords = await where(work.expiredRecords, () =>
      this.#retention.purgeIdempotencyRecords(),
    );
    repairs.prunedTurns = await where(work.oldEvents, () => this.#retention.pruneEvents());
    repairs.erasedSessions = await where(work.userErasures, () => eraseUsers(this.#parts));
    repairs.purgedRows = await attempt(() => this.#retention.purge());
    if (errors.length > 0) throw errors[0];
    return repairs;
  }

  /** The first pass is whole, and so is one whose look failed. */
  async #look(errors: unknown[]): Promise<WorkFound | typeof ALL> {
    const isWhole = this.#passes % WHOLE_PASSES === 0;
    this.#passes += 1;
    if (isWhole) return ALL;
    try {
      return await lookForWork(this.#parts.database.pool, this.#settings);
    } catch (error) {
      errors.push(error);
      return ALL;
    }
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

  /** Actions that expired count as denied, and their turns continue. */
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

  /** Sessions whose next turn was not marked as ready, because a process died after the one before ended. */
  async #promoteSessions(): Promise<number> {
    const sessions = await findUnreadySessions(this.#parts.database.pool, this.#lastSession, BATCH);
    for (const session of sessions) this.#parts.dispatcher.changed(session);
    this.#lastSession = sessions.length < BATCH ? '' : (sessions.at(-1)?.sessionId ?? '');
    return sessions.length;
  }

  /** Turns that were scheduled or delayed, and whose time has come. */
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

  /** One of the turns that are parked for each outage, as a probe. */
  async #probeOutages(): Promise<number> {
    const tenants = await probeOutages(this.#parts.database.pool, BATCH, PROBE_EVERY_MS);
    for (const tenantId of tenants) this.#parts.dispatcher.changed({ tenantId });
    return tenants.length;
  }

  /** Reads what is in the queues only after workers came or went, and now and then: mostly every queue is consumed. */
  async #takeBackUnconsumed(found: readonly string[] | null): Promise<number> {
    const queues = [...(found ?? (await listLiveQueues(this.#parts.database.pool)))];
    const isSame = queues.join(' ') === this.#queues.join(' ');
    this.#passesWithQueues = isSame ? this.#passesWithQueues + 1 : 0;
    this.#queues = queues;
    // A dispatch that was under way when they changed may come late.
    if (this.#passesWithQueues > LATE_PASSES && this.#passesWithQueues % RARE_PASSES !== 0) return 0;
    const turns = await takeBackUnconsumed(this.#parts.database.pool, BATCH);
    for (const { tenantId } of turns) this.#parts.dispatcher.changed({ tenantId });
    return turns.length;
  }

  async #takeUp(): Promise<number> {
    let count = 0;
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const turns = await takeUp(this.#parts.database.pool, DUE_BATCH);
      for (const { tenantId } of turns) this.#parts.dispatcher.changed({ tenantId });
      count += turns.length;
      if (turns.length < DUE_BATCH) break;
    }
    return count;
  }

  async #putAside(): Promise<number> {
    const { database, backplane } = this.#parts;
    const turns = await putAside(database.pool, DUE_BATCH, this.#settings.toolWaitMs);
    for (const { sessionId, turnId } of turns)
      backplane.live.changed({ sessionId, turnId, eventCount: null });
    return turns.length;
  }

  /** Tenants with ready turns that wait for a slot. */
  async #dispatchTenants(): Promise<number> {
    const tenants = await findReadyTenants(this.#parts.database.pool, this.#lastTenant, BATCH);
    for (const tenantId of tenants) this.#parts.dispatcher.changed({ tenantId });
    this.#lastTenant = tenants.length < BATCH ? '' : (tenants.at(-1) ?? '');
    return tenants.length;
  }

  /** Jobs that nobody claims, while workers that have another queue could. */
  async #offerElsewhere(unclaimed: Parameters<typeof offerElsewhere>[1]): Promise<void> {
    if (unclaimed.length === 0 || this.#queues.length < 2) return;
    const turns = await offerElsewhere(this.#parts.database.pool, unclaimed);
    for (const { tenantId } of turns) this.#parts.dispatcher.changed({ tenantId });
  }

  async #reissueLostJobs(): Promise<number> {
    const { database, backplane } = this.#parts;
    const unchecked = await takeUncheckedTurns(database.pool, {
      limit: BATCH,
      olderThanMs: this.#settings.jobAgeMs,
    });
    if (unchecked.length === 0) return 0;
    const lost = await backplane.missing(unchecked);
    await this.#offerElsewhere(unchecked.filter((job) => !lost.includes(job)));
    if (lost.length === 0) return 0;
    const reissued = await reissueJobs(database.pool, lost);
    await backplane.enqueue(reissued);
    return reissued.length;
  }
}

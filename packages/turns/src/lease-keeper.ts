import {
  TurnCancelledError,
  type CompletedStep,
  type InterruptedCall,
  type TurnStatus,
} from '@turnpike/contract';
import type { TurnJob } from '@turnpike/backplane';
import { claimTurn, removeWorker, renewLeases, type Database } from '@turnpike/store';
import { Lease, type TurnUpdate } from './lease.ts';
import { TRANSITIONS } from './transitions.ts';

/** This part of a lease's time is left unused, so that calls are aborted before another may begin them. */
const UNUSED_SHARE = 0.2;
/** How many renewals fit into a lease: one may fail and the next still comes in time. */
const RENEWALS = 3;
/** Dispatch counts a worker's places for 30 s after its last word; so often it has one, however long its leases. */
const SEEN_EVERY_MS = 10_000;
/** A lease whose row somebody has locked is asked for again after this time. */
const BUSY_MS = 300;

export interface LeaseKeeperParts {
  database: Database;
  workerId: string;
  /** Turns that this worker runs at once: its places, in which tenants have their shares. */
  concurrency: number;
  /** How long a lease lasts without a heartbeat. Milliseconds. */
  leaseMs: number;
  /** A lease ended: with the status the turn has now, or null where the lease was lost. */
  onEnd: (lease: Lease, status: TurnStatus | null) => void;
  /** This tenant's turns took a place out of the queue, and others of it may run: to be dispatched. */
  onCapacity: (tenantId: string) => void;
  /** A turn that is held has new events, or a preview to show. */
  onUpdate?: (lease: Lease, news: TurnUpdate) => void;
  /** A step of a turn that is held was committed. */
  onStep?: (lease: Lease, step: CompletedStep) => void;
  /** What a call of a turn cost could not be entered in the ledger. */
  onUsageLost?: (lease: Lease, cut: InterruptedCall, error: unknown) => void;
  /** A heartbeat failed; the leases end by themselves unless one of the next succeeds. */
  onError: (error: unknown) => void;
}

/** All leases of one worker: claims them, and renews them together, in one statement that also says it is alive. */
export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts;
  readonly #leases = new Map<string, Lease>();
  readonly #timer: NodeJS.Timeout;
  #renewing = false;
  #renewal: Promise<void> = Promise.resolve();
  #closed = false;
  #leaving = false;

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#renew(), Math.min(parts.leaseMs / RENEWALS, SEEN_EVERY_MS));
    void this.#renew();
  }

  /** The leases held now. */
  get held(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  /** Takes the turn of this job. Null where the job is stale, or another worker was first. */
  async claim(job: TurnJob): Promise<Lease | null> {
    const { database, workerId, leaseMs, onEnd, onCapacity, onUpdate, onStep, onUsageLost } = this.#parts;
    const asked = performance.now();
    const turn = await claimTurn(database.pool, {
      turnId: job.turnId,
      epoch: job.epoch,
      from: TRANSITIONS.claim.from,
      workerId,
      leaseMs,
    });
    if (turn === null) return null;
    if (turn.othersReady) onCapacity(turn.tenantId);
    const lease = new Lease({
      turn,
      database,
      until: this.#until(asked),
      onEnd: (ended, status) => {
        if (this.#leases.get(ended.turn.id) === ended) this.#leases.delete(ended.turn.id);
        onEnd(ended, status);
      },
      ...(onUpdate === undefined ? {} : { onUpdate }),
      ...(onStep === undefined ? {} : { onStep }),
      ...(onUsageLost === undefined ? {} : { onUsageLost }),
    });
    this.#leases.set(turn.id, lease);
    onUpdate?.(lease, { eventCount: turn.eventCount });
    return lease;
  }

  /** The turn was asked to cancel: whoever works on it here is told at once. */
  cancel(turnId: string): void {
    this.#leases.get(turnId)?.stop(new TurnCancelledError(turnId));
  }

  /** This worker takes nothing more: its places count no longer. What it holds it goes on to renew. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#renewal;
    await removeWorker(this.#parts.database.pool, this.#parts.workerId).catch(this.#parts.onError);
  }

  /** The heartbeat stops; what is still held ends by itself. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #renew(): Promise<void> {
    if (!this.#renewing && (this.#leases.size > 0 || !this.#leaving)) this.#renewal = this.#renewAll();
    return this.#renewal;
  }

  async #renewAll(): Promise<void> {
    this.#renewing = true;
    const leases = this.held;
    const asked = performance.now();
    const { database, workerId, concurrency, leaseMs } = this.#parts;
    try {
      const fences = leases.map(({ turn }) => ({ turnId: turn.id, epoch: turn.epoch }));
      const renewed = await renewLeases(
        database.pool,
        fences,
        leaseMs,
        this.#leaving ? null : { id: workerId, concurrency },
      );
      let isBusy = false;
      for (const lease of leases) {
        const answer = renewed.get(lease.turn.id);
        if (this.#leases.get(lease.turn.id) !== lease) continue;
        if (answer === undefined) lease.refused();
        else if (answer.renewed) lease.prolong(this.#until(asked));
        else isBusy = true;
        if (answer?.status === 'cancelling') lease.stop(new TurnCancelledError(lease.turn.id));
      }
      if (isBusy && !this.#closed) setTimeout(() => void this.#renew(), BUSY_MS).unref();
    } catch (error) {
      this.#parts.onError(error);
    } finally {
      this.#renewing = false;
    }
  }

  /** Counted from before the request left, so it lies before the database's own end. */
  #until(asked: number): number {
    return asked + this.#parts.leaseMs * (1 - UNUSED_SHARE);
  }
}

import { TurnCancelledError, TypedEmitter } from '@turnpike/contract';
import type { TurnJob } from '@turnpike/backplane';
import {
  claimTurn,
  PLAIN,
  readHandedTurn,
  removeWorker,
  renewLeases,
  type Capability,
  type Database,
  type LeasedTurn,
  type LiveWorker,
} from '@turnpike/store';
import { Lease, type LeaseEvents } from './lease.ts';
import { TRANSITIONS } from './transitions.ts';

/** This part of a lease's time is left unused, so that calls are aborted before another worker may begin them. */
const UNUSED_SHARE = 0.2;
/** How many renewals fit into a lease: one may fail and the next still comes in time. */
const RENEWALS = 3;
/** Dispatch counts a worker's slots for 30 s after its last heartbeat; so often it has one, however long its leases. */
const HEARTBEAT_EVERY_MS = 10_000;
/** A lease whose row is locked by another statement is renewed again after this time. */
const BUSY_MS = 300;
/** A turn that was handed over and runs for this long is confirmed. Most of its first lease is left then. */
const CONFIRM_AFTER_MS = 500;

export interface LeaseKeeperParts {
  database: Database;
  workerId: string;
  /** Turns that this worker runs at once: its slots, in which tenants have their shares. */
  concurrency: number;
  /** How long a lease lasts without a heartbeat. Milliseconds. */
  leaseMs: number;
  /** What it can run. Default: `PLAIN`. */
  runs?: Capability;
  /** The id of what it announced in detail. Default: null. */
  build?: string | null;
  /** A listener of `events` failed. */
  onListenerError: (error: unknown) => void;
}

/** All leases of one worker: claims them, and renews them together, in one statement that is also its heartbeat. */
export class LeaseKeeper {
  /** Of all leases of this worker. */
  readonly events: TypedEmitter<LeaseEvents>;
  readonly #parts: LeaseKeeperParts;
  readonly #leases = new Map<string, Lease>();
  /** Of turns that were handed over a moment ago. */
  readonly #unconfirmed = new Set<Lease>();
  #willConfirm = false;
  readonly #timer: NodeJS.Timeout;
  #renewing = false;
  #renewal: Promise<void> = Promise.resolve();
  #closed = false;
  #leaving = false;
  #runs: Capability;
  #build: string | null;

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
    this.#runs = parts.runs ?? PLAIN;
    this.#build = parts.build ?? null;
    this.events = new TypedEmitter(parts.onListenerError);
    // The first listener: to all others, a lease that has ended is held no more.
    this.events.on('ended', (lease) => {
      if (this.#leases.get(lease.turn.id) === lease) this.#leases.delete(lease.turn.id);
      this.#unconfirmed.delete(lease);
    });
    this.#timer = setInterval(
      () => void this.#renew(),
      Math.min(parts.leaseMs / RENEWALS, HEARTBEAT_EVERY_MS),
    );
    void this.#renew();
  }

  /** The leases held now. */
  get held(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  /** From now on it claims other turns, and dispatch is told so at once. */
  async become(runs: Capability, build: string | null): Promise<void> {
    this.#runs = runs;
    this.#build = build;
    // A heartbeat that is under way still says what was.
    await this.#renewal;
    await this.#renew();
  }

  /** Claims the turn of this job. Null where the job is stale, another worker was first, or this one cannot run it. */
  async claim(job: TurnJob): Promise<Lease | null> {
    const { database, workerId, leaseMs } = this.#parts;
    const asked = performance.now();
    const turn = await claimTurn(database.pool, {
      turnId: job.turnId,
      epoch: job.epoch,
      from: TRANSITIONS.claim.from,
      workerId,
      leaseMs,
      runs: this.#runs,
    });
    return turn === null ? null : this.#hold(turn, this.#until(asked));
  }

  /**
   * Takes a turn that was handed to this worker: it was stored as claimed, for a moment, so it is only read. Where it is
   * still held after that moment, it is confirmed. Null where it is not this worker's, or is held here already.
   */
  async receive(job: { turnId: string; epoch: number }): Promise<Lease | null> {
    const { database, workerId } = this.#parts;
    if (this.#leases.has(job.turnId)) return null;
    const asked = performance.now();
    const handed = await readHandedTurn(database.pool, { ...job, workerId });
    // It may have come twice.
    if (handed === null || this.#leases.has(job.turnId)) return null;
    const lease = this.#hold(handed.turn, asked + handed.heldMs * (1 - UNUSED_SHARE));
    if (handed.turn.status === 'cancelling') lease.stop(new TurnCancelledError(job.turnId));
    this.#unconfirmed.add(lease);
    this.#confirmSoon();
    return lease;
  }

  #hold(turn: LeasedTurn, until: number): Lease {
    const { database } = this.#parts;
    const lease = new Lease({ turn, database, until, events: this.events });
    this.#leases.set(turn.id, lease);
    this.events.emit('claimed', lease);
    return lease;
  }

  /** The turn was asked to cancel: if this worker holds it, it stops at once. */
  cancel(turnId: string): void {
    this.#leases.get(turnId)?.stop(new TurnCancelledError(turnId));
  }

  /** This worker claims nothing more, and its slots are not counted from now on. What it holds it still renews. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#renewal;
    await removeWorker(this.#parts.database.pool, this.#parts.workerId).catch((error: unknown) =>
      this.events.emit('heartbeatFailed', error),
    );
  }

  /** The heartbeat stops; leases that are still held expire. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #renew(): Promise<void> {
    if (!this.#renewing && (this.#leases.size > 0 || !this.#leaving)) this.#renewal = this.#renewAll();
    return this.#renewal;
  }

  /** One statement for all that come until then; most have ended by then. */
  #confirmSoon(): void {
    if (this.#willConfirm || this.#unconfirmed.size === 0 || this.#closed) return;
    this.#willConfirm = true;
    setTimeout(() => {
      this.#willConfirm = false;
      void this.#renewThese([...this.#unconfirmed], null).then(() => this.#confirmSoon());
    }, CONFIRM_AFTER_MS).unref();
  }

  async #renewAll(): Promise<void> {
    this.#renewing = true;
    const { workerId, concurrency } = this.#parts;
    const worker = this.#leaving ? null : { id: workerId, concurrency, runs: this.#runs, build: this.#build };
    await this.#renewThese(this.held, worker);
    this.#renewing = false;
  }

  async #renewThese(leases: readonly Lease[], worker: LiveWorker | null): Promise<void> {
    if (leases.length === 0 && worker === null) return;
    const asked = performance.now();
    const { database, leaseMs } = this.#parts;
    try {
      const fences = leases.map(({ turn }) => ({ turnId: turn.id, epoch: turn.epoch }));
      const renewals = await renewLeases(database.pool, fences, leaseMs, worker);
      let isBusy = false;
      for (const lease of leases) {
        const renewal = renewals.get(lease.turn.id);
        if (this.#leases.get(lease.turn.id) !== lease) continue;
        if (renewal === undefined) lease.refused();
        else if (renewal.renewed) {
          lease.renew(this.#until(asked));
          this.#unconfirmed.delete(lease);
        } else isBusy = true;
        if (renewal?.status === 'cancelling') lease.stop(new TurnCancelledError(lease.turn.id));
      }
      if (isBusy && !this.#closed) setTimeout(() => void this.#renew(), BUSY_MS).unref();
    } catch (error) {
      this.events.emit('heartbeatFailed', error);
    }
  }

  /** Counted from before the request was sent, so it lies before the database's own end. */
  #until(asked: number): number {
    return asked + this.#parts.leaseMs * (1 - UNUSED_SHARE);
  }
}

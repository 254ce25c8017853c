import {
  BudgetExceededError,
  DEFAULT_LIMITS,
  DeadlineError,
  DrainError,
  LeaseLostError,
  SpendingPausedError,
  TurnCancelledError,
  isFinal,
  isSettled,
  type Advance,
  type AdvanceResult,
  type CallCost,
  type ChildTurn,
  type CompletedStep,
  type InterruptedCall,
  type Outcome,
  type Release,
  type RequestedChild,
  type StartedChild,
  type TurnStatus,
  type TypedEmitter,
} from '@turnpike/contract';
import {
  parkParent,
  readChildren,
  readProgress,
  releaseTurn,
  reserveCost,
  startChildren,
  type Database,
  type LeasedTurn,
} from '@turnpike/store';
import { commitAdvance } from './commit-advance.ts';
import { LeaseClock } from './lease-clock.ts';
import { recordUsage } from './record-usage.ts';
import { TRANSITIONS } from './transitions.ts';
import { untilStored } from './until-stored.ts';

/** Other calls take seconds: after about this time one of them may have ended. */
const BUDGET_BUSY_MS = 1_500;
/** The oldest calls of the minute leave it one after another. */
const MINUTE_BUSY_MS = 5_000;

/** A piece of a step's text, shown before the step is committed. */
export interface TextPreview {
  stepIndex: number;
  /** The number of the newest event when this try at the step began. */
  attempt: number;
  text: string;
}

/** How far a tool call is: a text, or a share from 0 to 1. */
export interface ToolProgress {
  toolCallId: string;
  progress: string | number;
}

/** What happens to the leases of one worker. Every event but the heartbeat's names its lease. */
export interface LeaseEvents {
  /** A turn was claimed. */
  claimed: [lease: Lease];
  /** New events of the turn are committed; `lease.eventCount` is the number of the newest. */
  committed: [lease: Lease];
  /** A step is committed; comes after `committed`. */
  stepCompleted: [lease: Lease, step: CompletedStep];
  /** Child turns were started, and may be dispatched. Comes after `committed`. */
  childrenStarted: [lease: Lease];
  /** Nothing waits for a preview, and it may be lost. */
  preview: [lease: Lease, preview: TextPreview];
  /** As `preview`: how far a tool call is. */
  progress: [lease: Lease, progress: ToolProgress];
  /** The usage of a model call could not be recorded in the ledger. */
  usageLost: [lease: Lease, call: InterruptedCall, error: unknown];
  /**
   * Comes once, as the last event: with the status that the turn has now, or null where the lease was lost, and whether
   * other turns may have waited for it. A turn that is added meanwhile finds no capacity, and is dispatched by whom
   * added it (`Dispatcher`).
   */
  ended: [lease: Lease, status: TurnStatus | null, othersMayRun: boolean];
  /** A heartbeat failed; the leases expire unless one of the next succeeds. */
  heartbeatFailed: [error: unknown];
}

/**
 * A worker's right to write to one turn: (turn, epoch, until). The database decides whether it still holds;
 * `until` here is only the moment, by the monotonic clock and before the database's own, from which this process
 * treats it as expired.
 */
export class Lease {
  readonly turn: LeasedTurn;
  readonly #database: Database;
  readonly #events: TypedEmitter<LeaseEvents>;
  readonly #clock: LeaseClock;
  readonly #stop = new AbortController();
  readonly #stopForGood = new AbortController();
  #eventCount: number;
  #outcome: Outcome | null = null;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #draining = false;
  #ended = false;
  #hasChildren: boolean;
  /** The span of the work under it, which child turns are part of; null where nothing is traced. */
  traceparent: string | null = null;

  constructor(parts: {
    turn: LeasedTurn;
    database: Database;
    /** On `performance.now()`. */
    until: number;
    events: TypedEmitter<LeaseEvents>;
  }) {
    const { turn } = parts;
    this.turn = turn;
    this.#database = parts.database;
    this.#events = parts.events;
    this.#eventCount = turn.eventCount;
    this.#hasChildren = turn.openToolCalls.some(({ childTurnId }) => childTurnId != null);
    this.#clock = new LeaseClock({
      claimedAt: turn.claimedAt,
      remainingMs: turn.remainingMs,
      until: parts.until,
      onExpired: () => this.lose(),
      onDeadline: () => this.stop(new DeadlineError(turn.id)),
    });
    if (turn.remainingMs <= 0) this.stop(new DeadlineError(turn.id));
  }

  /** The number of the turn's newest event. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** True where the open round of calls has child turns, which may be open where the turn ends before them. */
  get hasChildren(): boolean {
    return this.#hasChildren;
  }

  /** How the turn ended under this lease; null where it did not. */
  get outcome(): Outcome | null {
    return this.#outcome;
  }

  /** Aborts when the right to write ends, or the turn is to stop; the reason says which. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** As `signal`, but a drain does not abort it. */
  get endSignal(): AbortSignal {
    return this.#stopForGood.signal;
  }

  /** True once the worker is stopping: the turn is to be released at the next step border. */
  get draining(): boolean {
    return this.#draining;
  }

  drain(): void {
    this.#draining = true;
  }

  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number {
    return this.#clock.remainingMs();
  }

  /** The database's time now, in milliseconds since 1970. */
  now(): number {
    return this.#clock.now();
  }

  /** Stops the work under this lease. The first reason stays. */
  stop(reason: Error): void {
    this.#stop.abort(reason);
    if (!(reason instanceof DrainError)) this.#stopForGood.abort(reason);
  }

  /** The database renewed it: until then, on `performance.now()`. */
  renew(until: number): void {
    if (!this.#ended) this.#clock.renew(until);
  }

  /** Throws `LeaseLostError` once another may own the turn. */
  assertHeld(): void {
    if (!this.#ended && !this.#clock.isExpired) return;
    throw this.lose();
  }

  /**
   * The heartbeat found no lease. Our own last write may have ended it, and its response may still be on its way:
   * so the lease is lost only if it has not ended when that write is done.
   */
  refused(): void {
    void this.#inOrder(async () => {
      if (!this.#ended) this.lose();
    });
  }

  /** The lease is gone: nothing more may be written or sent. Returns the error that says so. */
  lose(cause?: unknown): LeaseLostError {
    const error = new LeaseLostError(this.turn.id, cause);
    this.#end(null);
    this.stop(error);
    return error;
  }

  /** Shows a preview to those who watch the turn; nothing is shown once another worker may own it. */
  show(preview: TextPreview): void {
    if (!this.#ended && !this.#clock.isExpired) this.#events.emit('preview', this, preview);
  }

  /** Shows how far a tool call is; as `show`. */
  showProgress(progress: ToolProgress): void {
    if (!this.#ended && !this.#clock.isExpired) this.#events.emit('progress', this, progress);
  }

  /**
   * Commits all of it or nothing; an outcome ends the lease, and so does an action. Writes are made one after
   * another. While the database cannot be reached, and the lease lasts, the same write is sent again: a paid model
   * call is not thrown away because Postgres restarted.
   * Throws `LeaseLostError` where another may own the turn.
   */
  advance(advance: Advance): Promise<AdvanceResult> {
    return this.#inOrder(async () => {
      const advanced = await this.#commit(advance);
      this.#eventCount += advance.events.length;
      this.#events.emit('committed', this);
      if (advance.step !== undefined) this.#events.emit('stepCompleted', this, advance.step);
      const { status } = advanced;
      if (isFinal(status)) this.#outcome = advance.outcome ?? null;
      if (isSettled(status)) this.#end(status, advanced.othersMayRun);
      else if (status === 'cancelling') this.stop(new TurnCancelledError(this.turn.id));
      return advanced;
    });
  }

  /**
   * Reserves what the next model call may cost at most.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserve(most: CallCost): Promise<void> {
    return this.#inOrder(async () => {
      const reserveMost = () => reserveCost(this.#database.pool, this.#fence, most);
      const verdict = await untilStored(reserveMost, () => this.assertHeld());
      if (verdict === 'granted') return;
      if (verdict === 'lost') throw this.lose();
      const spread = 0.5 + Math.random();
      if (verdict === 'wait') throw new SpendingPausedError('budget_busy', BUDGET_BUSY_MS * spread);
      if (verdict === 'tokens') throw new SpendingPausedError('tokens_per_minute', MINUTE_BUSY_MS * spread);
      throw new BudgetExceededError(verdict);
    });
  }

  /**
   * Starts the child turns of these calls, with their events; a call that has one keeps it.
   * Throws `LeaseLostError`, and `TurnCancelledError` where the turn was asked to cancel: then none is started.
   */
  startChildren(requested: readonly RequestedChild[]): Promise<StartedChild[]> {
    return this.#inOrder(async () => {
      const { traceparent } = this;
      const { id: turnId, sessionId, epoch } = this.turn;
      const lease = { turnId, sessionId, epoch, traceparent };
      const start = () => startChildren(this.#database.pool, lease, requested, DEFAULT_LIMITS);
      // Sent again, it finds what it started the first time.
      const outcome = await untilStored(start, () => this.assertHeld());
      if (outcome.of === 'lost') throw this.lose();
      if (outcome.of === 'cancelling') throw this.#cancelled();
      this.#eventCount = outcome.eventCount;
      this.#hasChildren = true;
      this.#events.emit('committed', this);
      this.#events.emit('childrenStarted', this);
      return outcome.children;
    });
  }

  /** Those of these child turns that are there. Throws `LeaseLostError`. */
  readChildren(turnIds: readonly string[]): Promise<ChildTurn[]> {
    const read = () => readChildren(this.#database.pool, this.turn.tenantId, turnIds);
    return untilStored(read, () => this.assertHeld());
  }

  /**
   * Parks the turn until its child turns have ended; the lease ends. False where they have ended already.
   * Throws `LeaseLostError`, and `TurnCancelledError` where the turn was asked to cancel meanwhile.
   */
  park(): Promise<boolean> {
    return this.#inOrder(async () => {
      this.assertHeld();
      const outcome = await parkParent(this.#database.pool, this.#fence);
      if (outcome === 'ready') return false;
      if (outcome === 'cancelling') throw this.#cancelled();
      if (outcome === 'lost') throw this.lose();
      this.#end('queued');
      return true;
    });
  }

  #cancelled(): TurnCancelledError {
    const error = new TurnCancelledError(this.turn.id);
    this.stop(error);
    return error;
  }

  /**
   * Records the usage of a model call that became no step, also where the lease is lost: it was spent. Never
   * rejects: where it cannot be recorded, that is reported, and the turn goes on.
   */
  async recordUsage(call: InterruptedCall): Promise<void> {
    try {
      await recordUsage(this.#database, this.turn, call);
    } catch (error) {
      this.#events.emit('usageLost', this, call, error);
    }
  }

  /**
   * Gives the turn back to the queue; the lease ends. Throws `LeaseLostError`, and `TurnCancelledError` where the
   * turn was asked to cancel meanwhile: then it is to be ended instead.
   */
  release(release: Release): Promise<void> {
    return this.#inOrder(async () => {
      this.assertHeld();
      const [from] = TRANSITIONS.release.from;
      const fence = { ...this.#fence, from };
      if (await releaseTurn(this.#database.pool, fence, release)) {
        this.#end('queued');
        return;
      }
      const progress = await readProgress(this.#database.pool, fence);
      if (progress?.status === 'cancelling') throw new TurnCancelledError(this.turn.id);
      throw this.lose();
    });
  }

  get #fence(): { turnId: string; epoch: number } {
    return { turnId: this.turn.id, epoch: this.turn.epoch };
  }

  async #commit(advance: Advance): Promise<AdvanceResult> {
    const basis = { ...this.#fence, eventCount: this.#eventCount };
    try {
      return await commitAdvance(this.#database, basis, advance, () => this.assertHeld());
    } catch (error) {
      const reason = error instanceof LeaseLostError ? this.lose(error.cause) : error;
      // The turn is another worker's, or erased: the call was paid for all the same. If the commit arrived after
      // all, its usage is recorded already, and is not recorded twice. The response of a batch is not lost with the lease.
      const { step } = advance;
      if (step?.model != null && step.isBatched !== true)
        await this.recordUsage({ ...step, model: step.model });
      throw reason;
    }
  }

  /** One write after another, whether or not the one before succeeded. */
  #inOrder<Result>(write: () => Promise<Result>): Promise<Result> {
    const result = this.#lastWrite.then(write, write);
    this.#lastWrite = result.catch(() => undefined);
    return result;
  }

  #end(status: TurnStatus | null, othersMayRun = true): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#clock.stop();
    this.#events.emit('ended', this, status, othersMayRun);
  }
}

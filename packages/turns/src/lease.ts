import {
  BudgetExceededError,
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
  type CompletedStep,
  type InterruptedCall,
  type Outcome,
  type Release,
  type TurnStatus,
} from '@turnpike/contract';
import {
  advanceTurn,
  recordPartialUsage,
  readProgress,
  releaseTurn,
  reserveCost,
  StoreUnavailableError,
  type Database,
  type LeasedTurn,
} from '@turnpike/store';
import { setTimeout as delay } from 'node:timers/promises';
import { TRANSITIONS } from './transitions.ts';

const RETRY_MS = 200;
/** For so long is it tried to enter what a turn spent, each try taking as long at most. */
const BOOK_MS = 3_000;
/** Other calls take seconds: after about this time one of them may be done. */
const BUDGET_BUSY_MS = 1_500;
/** The oldest calls of the minute leave it one after another. */
const MINUTE_BUSY_MS = 5_000;

/** What is new of a turn under its lease: that it has more events, or a piece of text that is only a preview. */
export type TurnUpdate = { eventCount: number } | { stepIndex: number; attempt: number; text: string };

/**
 * A worker's right to write to one turn: (turn, epoch, until). The database decides whether it
 * still holds; `until` here is only the moment, by the monotonic clock and before the database's
 * own, from which this process acts as if it did not.
 */
export class Lease {
  readonly turn: LeasedTurn;
  readonly #database: Database;
  readonly #onEnd: (lease: Lease, status: TurnStatus | null) => void;
  readonly #onUpdate: (lease: Lease, news: TurnUpdate) => void;
  readonly #onStep: (lease: Lease, step: CompletedStep) => void;
  readonly #onUsageLost: (lease: Lease, cut: InterruptedCall, error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #stopForGood = new AbortController();
  readonly #claimed: number;
  readonly #deadline: number;
  readonly #deadlineTimer: NodeJS.Timeout;
  #until: number;
  #untilTimer: NodeJS.Timeout;
  #eventCount: number;
  #outcome: Outcome | null = null;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #draining = false;
  #ended = false;

  constructor(parts: {
    turn: LeasedTurn;
    database: Database;
    /** On `performance.now()`. */
    until: number;
    /** Called once: with the status that the turn has now, or null where the lease was lost. */
    onEnd: (lease: Lease, status: TurnStatus | null) => void;
    /** Whoever watches the turn may want to know. */
    onUpdate?: (lease: Lease, news: TurnUpdate) => void;
    /** A step was committed. */
    onStep?: (lease: Lease, step: CompletedStep) => void;
    /** What a call cost could not be entered in the ledger. */
    onUsageLost?: (lease: Lease, cut: InterruptedCall, error: unknown) => void;
  }) {
    this.turn = parts.turn;
    this.#onUpdate = parts.onUpdate ?? (() => undefined);
    this.#onStep = parts.onStep ?? (() => undefined);
    this.#onUsageLost = parts.onUsageLost ?? (() => undefined);
    this.#database = parts.database;
    this.#onEnd = parts.onEnd;
    this.#eventCount = parts.turn.eventCount;
    this.#until = parts.until;
    this.#untilTimer = this.#armUntil();
    this.#claimed = performance.now();
    this.#deadline = this.#claimed + parts.turn.remainingMs;
    this.#deadlineTimer = setTimeout(
      () => this.stop(new DeadlineError(this.turn.id)),
      Math.max(0, parts.turn.remainingMs),
    );
    if (parts.turn.remainingMs <= 0) this.stop(new DeadlineError(this.turn.id));
  }

  /** The number of the turn's newest event. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Shows a preview to whoever watches; nothing of a lease that has ended is shown. */
  show(preview: { stepIndex: number; attempt: number; text: string }): void {
    if (!this.#ended) this.#onUpdate(this, preview);
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
    return Math.max(0, this.#deadline - performance.now());
  }

  /** The database's time now, in milliseconds since 1970: this machine's own clock may be wrong. */
  now(): number {
    return this.turn.claimedAt + (performance.now() - this.#claimed);
  }

  /** Asks whoever works under this lease to stop, for this reason. The first reason stays. */
  stop(reason: Error): void {
    this.#stop.abort(reason);
    if (!(reason instanceof DrainError)) this.#stopForGood.abort(reason);
  }

  /** The database prolonged it: by the local clock, until then. */
  prolong(until: number): void {
    if (this.#ended) return;
    this.#until = until;
    clearTimeout(this.#untilTimer);
    this.#untilTimer = this.#armUntil();
  }

  /** Throws `LeaseLostError` once another may own the turn. */
  assertHeld(): void {
    if (!this.#ended && performance.now() < this.#until) return;
    throw this.lose();
  }

  /**
   * The heartbeat found no lease. It may have been our own last write that ended it, and its answer is
   * still on the way: so this is looked at when that write is done.
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

  /**
   * Commits all of it or nothing; an outcome ends the lease, and so does an action. Writes are made
   * one after another. While the database cannot be reached, and the lease lasts, the same write is
   * sent again: what a model call cost is not thrown away because Postgres restarted.
   * Throws `LeaseLostError` where another may own the turn.
   */
  advance(advance: Advance): Promise<AdvanceResult> {
    return this.#inOrder(async () => {
      const advanced = await this.#commit(advance).catch(async (error: unknown) => {
        // Another's, or erased: the call was made all the same. If it arrived after all, it is there already.
        const { step } = advance;
        if (step?.model != null) await this.book({ ...step, model: step.model });
        throw error;
      });
      this.#eventCount += advance.events.length;
      this.#onUpdate(this, { eventCount: this.#eventCount });
      if (advance.step !== undefined) this.#onStep(this, advance.step);
      const { status } = advanced;
      if (isFinal(status)) this.#outcome = advance.outcome ?? null;
      if (isSettled(status)) this.#end(status);
      else if (status === 'cancelling') this.stop(new TurnCancelledError(this.turn.id));
      return advanced;
    });
  }

  /**
   * Puts aside what the next model call may cost at most.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserve(most: CallCost): Promise<void> {
    return this.#inOrder(async () => {
      const verdict = await this.#untilStored(() => reserveCost(this.#database.pool, this.#fence, most));
      if (verdict === 'granted') return;
      if (verdict === 'lost') throw this.lose();
      const spread = 0.5 + Math.random();
      if (verdict === 'wait') throw new SpendingPausedError('budget_busy', BUDGET_BUSY_MS * spread);
      if (verdict === 'tokens') throw new SpendingPausedError('tokens_per_minute', MINUTE_BUSY_MS * spread);
      throw new BudgetExceededError(verdict);
    });
  }

  /**
   * Enters what a call cost that brought no answer, also where the lease is lost: it was spent. Where it
   * cannot be entered, that is reported, and the turn goes on: nothing is gained by losing it too.
   */
  async book(cut: InterruptedCall): Promise<void> {
    const end = performance.now() + BOOK_MS;
    for (;;) {
      try {
        await recordPartialUsage(this.#database.pool, this.turn, cut, BOOK_MS);
        return;
      } catch (error) {
        const isOver = performance.now() > end;
        if (!(error instanceof StoreUnavailableError) || isOver) {
          this.#onUsageLost(this, cut, error);
          return;
        }
        await delay(RETRY_MS * (0.5 + Math.random()));
      }
    }
  }

  /**
   * Gives the turn back to the queue; the lease ends. Throws `LeaseLostError`, and
   * `TurnCancelledError` where it was asked to cancel meanwhile: then it is to be ended instead.
   */
  release(release: Release): Promise<void> {
    return this.#inOrder(async () => {
      this.assertHeld();
      const [from] = TRANSITIONS.release.from;
      const fence = { turnId: this.turn.id, epoch: this.turn.epoch, from };
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

  /** Does what may be done twice again while the database cannot be reached, and the lease lasts. */
  async #untilStored<Result>(work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      this.assertHeld();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        await delay(RETRY_MS * (0.5 + Math.random()));
      }
    }
  }

  async #commit(advance: Advance): Promise<AdvanceResult> {
    const fence = {
      turnId: this.turn.id,
      epoch: this.turn.epoch,
      from: TRANSITIONS.advance.from,
      eventCount: this.#eventCount,
    };
    let uncertain: StoreUnavailableError | undefined;
    for (;;) {
      this.assertHeld();
      try {
        const advanced = await advanceTurn(this.#database.pool, fence, advance);
        if (advanced !== null) return advanced;
        // An earlier try may have arrived after all: then it is our own write that shut us out.
        const progress = uncertain === undefined ? null : await readProgress(this.#database.pool, fence);
        const arrived = progress?.eventCount === fence.eventCount + advance.events.length;
        // What was taken into the conversation is not known then; the next lease reads it.
        if (!arrived || advance.addPendingInputs === true) throw this.lose(uncertain);
        return { ...progress, addedInputs: [] };
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        uncertain = error;
        await delay(RETRY_MS * (0.5 + Math.random()));
      }
    }
  }

  #inOrder<Result>(write: () => Promise<Result>): Promise<Result> {
    const result = this.#lastWrite.then(write, write);
    this.#lastWrite = result.catch(() => undefined);
    return result;
  }

  #armUntil(): NodeJS.Timeout {
    return setTimeout(() => this.lose(), Math.max(0, this.#until - performance.now()));
  }

  #end(status: TurnStatus | null): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#untilTimer);
    clearTimeout(this.#deadlineTimer);
    this.#onEnd(this, status);
  }
}

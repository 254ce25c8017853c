import {
  catchUpSchema,
  overlapSchema,
  ProblemError,
  scheduledTurnSchema,
  sessionPolicySchema,
  TerminalError,
  timingSchema,
  type RunStatus,
  type ScheduledTurn,
} from '@turnpike/contract';
import {
  advanceSchedule,
  lockDueSchedule,
  readLimits,
  readTimeUntilDue,
  recordScheduleRun,
  removeScheduleRuns,
  savepoint,
  settleScheduleRuns,
  transaction,
  type DueSchedule,
  type NewRun,
  type Sql,
} from '@turnpike/store';
import { z } from 'zod';
import { acceptUnderLocks, recordCounts, type Acceptance } from './accept-turn.ts';
import { BudgetCheck, budgetExceeded } from './budget-check.ts';
import { cancelListedTurns } from './cancel-listed-turns.ts';
import { CapacityCache } from './capacity-cache.ts';
import type { FeederParts } from './feed-batches.ts';
import { requestedBy } from './feed-lines.ts';
import { decideTick, dueAt } from './schedule-times.ts';
import type { PlainTurn } from './submit-command.ts';

/** Ticks that one pass runs. */
const MOST_TICKS = 500;
/** Schedules that one pass leaves to the next one, since they failed. */
const MOST_LEFT = 100;
/** Statements that remove runs of deleted schedules in one pass. */
const MOST_REMOVALS = 4;
/** A tick that is due, and that other processes have, is looked for again after this. Milliseconds. */
const IN_OTHER_HANDS_MS = 250;
/** Of a turn that names none: that of turns which a client submits. */
const PRIORITY = 0;

/** What a pass did. */
export interface Ticking {
  /** Ticks by what became of them. */
  ticks: Record<RunStatus, number>;
  /** For each turn that was started: how long after it was due. Milliseconds. */
  delays: number[];
  /** What kept schedules from running: the others did. */
  errors: unknown[];
  /** Milliseconds until a tick may be due; 0: it ended before all were run that are; null: look at the next regular pass. */
  untilDue: number | null;
}

/** A turn that was started, and what was asked for. */
type Started = Acceptance & { requested: PlainTurn };

const rulesSchema = z.object({
  timing: timingSchema,
  session: sessionPolicySchema,
  overlap: overlapSchema,
  catchUp: catchUpSchema,
});
type ReadSchedule = Omit<DueSchedule, keyof z.infer<typeof rulesSchema>> & z.infer<typeof rulesSchema>;

/**
 * Runs the ticks of schedules. Any number of processes may run passes at once: a tick is run by the one that has its
 * schedule's row. A tick, its turn and the step to the next tick are one commit, so whoever dies in between leaves a
 * tick that is still due, or one that is done.
 */
export class ScheduleRunner {
  readonly #parts: FeederParts;
  readonly #clock: (() => Date) | null;
  readonly #capacity = new CapacityCache();
  readonly #budgetCheck = new BudgetCheck();

  /** `clock`: for tests that simulate hours. Default: that of the database, which all processes share. */
  constructor(parts: FeederParts, clock: (() => Date) | null = null) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** A schedule that fails does not keep the others waiting. */
  async pass(): Promise<Ticking> {
    const { pool } = this.#parts.database;
    const done: Ticking = {
      ticks: { started: 0, skipped: 0, refused: 0, missed: 0 },
      delays: [],
      errors: [],
      untilDue: 0,
    };
    const left: string[] = [];
    for (let ticks = 0; ticks < MOST_TICKS && left.length < MOST_LEFT; ticks++) {
      const tick = { scheduleId: null as string | null };
      const lookedAt = performance.now();
      try {
        if (!(await this.#runNext(left, tick, done))) {
          done.untilDue = untilNext(await readTimeUntilDue(pool, left), lookedAt);
          break;
        }
      } catch (error) {
        // Without its schedule it is the database that fails, for all of them.
        if (tick.scheduleId === null) throw error;
        left.push(tick.scheduleId);
        done.errors.push(error);
      }
    }
    if (left.length === MOST_LEFT) done.untilDue = null;
    for (let removal = 0; removal < MOST_REMOVALS; removal++) if (!(await removeScheduleRuns(pool))) break;
    return done;
  }

  /** The tick that is due the longest; false where none is. */
  async #runNext(
    left: readonly string[],
    running: { scheduleId: string | null },
    done: Ticking,
  ): Promise<boolean> {
    const outcome = await transaction(this.#parts.database.pool, async (sql) => {
      const now = this.#clock?.() ?? null;
      const schedule = await lockDueSchedule(sql, { now, left });
      if (schedule === null) return null;
      running.scheduleId = schedule.id;
      return { schedule, ...(await this.#runTick(sql, readRules(schedule))) };
    });
    if (outcome === null) return false;
    const { schedule, run, accepted, toCancel } = outcome;
    await cancelListedTurns(this.#parts, schedule.tenantId, toCancel);
    if (run !== null) done.ticks[run.status] += run.ticks ?? 1;
    if (accepted !== null) {
      done.delays.push(schedule.now.getTime() - schedule.dueAt.getTime());
      this.#announce(schedule.tenantId, accepted);
    }
    return true;
  }

  /** In the transaction that has the schedule's row. With `toCancel` the tick stays due until those are cancelled. */
  async #runTick(
    sql: Sql,
    schedule: ReadSchedule,
  ): Promise<{ run: NewRun | null; accepted: Started | null; toCancel: string[] }> {
    const { id, tenantId, tickAt, dueAt: due } = schedule;
    const about = { tenantId, scheduleId: id, tickAt, dueAt: due };
    const nothing = { run: null, accepted: null, toCancel: [] };
    /** No turn: what became of the tick, or of several, is recorded. */
    const finish = async (run: NewRun, next: Date | null) => {
      await recordScheduleRun(sql, run);
      await this.#advance(sql, schedule, { tickAt: run.until ?? tickAt, next, sessionId: null });
      return { ...nothing, run };
    };
    const turn = scheduledTurnSchema.safeParse(schedule.turn);
    const { missed, next } = decideTick(schedule, schedule, tickAt, schedule.now);
    if (missed !== null) return finish({ ...about, status: 'missed', ...missed }, next);
    const open = await settleScheduleRuns(sql, id);
    const [first] = open;
    if (first !== undefined && schedule.overlap === 'skip') {
      const error = { code: 'overlap', message: `${first.turnId} has not ended yet.` };
      return finish({ ...about, status: 'skipped', error }, next);
    }
    const toCancel = open.filter(({ status }) => status !== 'cancelling').map(({ turnId }) => turnId);
    if (toCancel.length > 0 && schedule.overlap === 'cancel') return { ...nothing, toCancel };
    const started = (accepted: Started): NewRun => ({
      ...about,
      status: 'started',
      turnId: accepted.turn.id,
    });
    try {
      if (!turn.success)
        throw new ProblemError('invalid_request', 'This version of the service does not take the turn.');
      const accepted = await savepoint(sql, async () => {
        const submitted = await this.#submit(sql, schedule, turn.data);
        if (!(await recordScheduleRun(sql, started(submitted)))) throw new TickTakenError(id);
        return submitted;
      });
      await this.#advance(sql, schedule, { tickAt, next, sessionId: accepted.turn.session_id });
      return { ...nothing, run: started(accepted), accepted };
    } catch (error) {
      if (error instanceof TickTakenError) {
        await this.#advance(sql, schedule, { tickAt, next, sessionId: null });
        return nothing;
      }
      if (!(error instanceof ProblemError || error instanceof TerminalError)) throw error;
      const { code, message } = error;
      return finish({ ...about, status: 'refused', error: { code, message } }, next);
    }
  }

  async #advance(
    sql: Sql,
    { id, jitterSeconds }: ReadSchedule,
    { tickAt, next, sessionId }: { tickAt: Date; next: Date | null; sessionId: string | null },
  ): Promise<void> {
    const due = next === null ? null : { tickAt: next, dueAt: dueAt(id, next, jitterSeconds) };
    await advanceSchedule(sql, { id, tickAt, next: due, sessionId });
  }

  /** Throws `ProblemError` or `TerminalError`, having written nothing, where the turn is refused. */
  async #submit(sql: Sql, schedule: ReadSchedule, turn: ScheduledTurn): Promise<Started> {
    const { tenantId, sessionId, ownsSession } = schedule;
    const limits = await readLimits(sql, tenantId);
    if (limits === null) throw new ProblemError('not_found', `There is no tenant ${tenantId}.`);
    const exhausted = await this.#budgetCheck.findExhausted(sql, tenantId);
    if (exhausted !== null) throw budgetExceeded(exhausted);
    const caps = {
      waiting: this.#capacity.limitToEnforce('waiting', tenantId, limits),
      sessions: this.#capacity.limitToEnforce('sessions', tenantId, limits),
    };
    const accept = async (requested: PlainTurn): Promise<Started> => {
      const command = { tenantId, limits, requested, idempotency: null, traceparent: null };
      const accepted = await savepoint(sql, () => acceptUnderLocks(sql, command, caps));
      return { ...accepted, requested };
    };
    const inNewSession = requestedBy(turn, PRIORITY);
    if (schedule.session === 'new' || sessionId === null) return accept(inNewSession);
    try {
      return await accept(requestedBy({ ...turn, session_id: sessionId }, PRIORITY));
    } catch (error) {
      // Its own session was deleted, perhaps as its retention had passed: it begins another one.
      const isGone = error instanceof ProblemError && error.code === 'not_found' && ownsSession;
      if (!isGone) throw error;
      return accept(inNewSession);
    }
  }

  #announce(tenantId: string, started: Started): void {
    const { dispatcher, backplane } = this.#parts;
    const { turn, isHead, requested } = started;
    recordCounts(this.#capacity, tenantId, requested, started);
    if (isHead) dispatcher.added(tenantId);
    backplane.live.changed({ sessionId: turn.session_id, turnId: turn.id, eventCount: null });
  }
}

/** Nothing was found to run: what was due by then is in other hands, and not what has become due since. */
function untilNext(untilDue: number | null, lookedAt: number): number | null {
  if (untilDue === null) return null;
  return -untilDue > performance.now() - lookedAt ? IN_OTHER_HANDS_MS : Math.max(0, untilDue);
}

/**
 * Throws where this version does not read by which rules the schedule runs: without them its next tick is not known. It is
 * left as it is, for a process of the version that wrote it.
 */
function readRules(schedule: DueSchedule): ReadSchedule {
  const rules = rulesSchema.safeParse(schedule);
  if (rules.success) return { ...schedule, ...rules.data };
  throw new Error(`This version of the service does not read the rules of ${schedule.id}.`, {
    cause: rules.error,
  });
}

/** Another process has run the tick: what was written for it is undone. */
class TickTakenError extends Error {
  constructor(scheduleId: string) {
    super(`The tick of ${scheduleId} has a run already.`);
    this.name = 'TickTakenError';
  }
}

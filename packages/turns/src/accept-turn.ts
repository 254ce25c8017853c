import {
  acceptedResponse,
  fileIdsIn,
  inputBlocks,
  newId,
  withFileSources,
  type ContentBlock,
  type Turn,
} from '@turnpike/contract';
import {
  cancelOpenTurns,
  insertTurn,
  insertTurnInGroup,
  lockSession,
  lockWaiting,
  runOnce,
  steerTurn,
  type CancelledTurn,
  type Counted,
  type Database,
  type DispatchedTurn,
  type OfferingWorker,
  type Sql,
  type StoredResponse,
} from '@turnpike/store';
import { budgetExceeded } from './budget-check.ts';
import { forkSession } from './fork-session.ts';
import { newTurn, webhookUrlOf, type Caps } from './new-turn.ts';
import { rejectionUnderLocks, rejectionWithoutLocks } from './rejection-reason.ts';
import { lockStoppedTurn } from './lock-stopped-turn.ts';
import { forkForRerun } from './rerun-turn.ts';
import type { CapacityCache } from './capacity-cache.ts';
import type { PlainCommand, RequestedTurn, SubmitCommand, SubmitParts } from './submit-command.ts';
import { TRANSITIONS } from './transitions.ts';
import { useFiles, type UsedFiles } from './use-files.ts';

/** A turn that is committed, and what became of other turns by it. */
export interface Acceptance {
  turn: Turn;
  /** True where it may be dispatched. */
  isHead: boolean;
  /** Its job, where it was dispatched with its insert. */
  job: DispatchedTurn | null;
  /** True where the worker that was named has claimed it: that worker is to be told. It has no job. */
  isHandedOver: boolean;
  /** The body of the response that was recorded with it; null where none was. */
  recordedBody: string | null;
  /** What was counted before it was added; null where its message joined a turn instead. */
  counted: Counted | null;
  /** Turns that it cancelled, or asked to stop: to be announced. */
  cancelled: CancelledTurn[];
}

/**
 * Commits a turn, or finds the response that was sent for its idempotency key. Throws as `submitTurn` does.
 *
 * Most turns are inserted without waiting for a lock, in a transaction that they share. A turn that must look at
 * others of its session or at files, or that was not stored for a reason which only the locks of key and session can tell, has
 * a transaction of its own, which waits for them.
 *
 * `takesJob`: the caller adds the job of a turn that was dispatched with its insert to the queue. `worker`: one that
 * offered a slot for it, which the caller tells of a turn that it was handed.
 */
export async function acceptTurn(
  {
    database: { pool },
    capacity,
    budgetCheck,
  }: Pick<SubmitParts, 'capacity' | 'budgetCheck'> & { database: Pick<Database, 'pool'> },
  command: SubmitCommand,
  { takesJob = false, worker = null }: { takesJob?: boolean; worker?: OfferingWorker | null } = {},
): Promise<{ done: Acceptance } | { replay: StoredResponse }> {
  const { tenantId, limits, requested, idempotency } = command;
  const responseOf = ({ turn }: Acceptance): StoredResponse => acceptedResponse(turn);
  const exhausted = await budgetCheck.findExhausted(pool, tenantId);
  if (exhausted !== null) {
    if (idempotency === null) throw budgetExceeded(exhausted);
    // A request that was executed before the budget was spent still gets its response.
    return runOnce(pool, idempotency, () => Promise.reject(budgetExceeded(exhausted)), responseOf);
  }
  const waiting = await capacity.startCount('waiting', tenantId, limits);
  const sessions = createsSession(requested) ? await capacity.startCount('sessions', tenantId, limits) : null;
  try {
    const caps = { waiting: waiting.limit, sessions: sessions?.limit ?? null };
    const done = await acceptWithoutLocks(pool, command, caps, { takesJob, worker });
    const result =
      done === null
        ? await runOnce(pool, idempotency, (sql) => acceptUnderLocks(sql, command, caps), responseOf)
        : { done };
    if ('done' in result) recordCounts(capacity, tenantId, requested, result.done);
    return result;
  } finally {
    waiting.end();
    sessions?.end();
  }
}

function createsSession({ of }: RequestedTurn): boolean {
  return of === 'new_session' || of === 'fork' || of === 'rerun';
}

/** Tells the cache what a turn added, once it is committed. */
export function recordCounts(
  capacity: CapacityCache,
  tenantId: string,
  requested: RequestedTurn,
  { counted }: Acceptance,
): void {
  if (counted !== null) capacity.added('waiting', tenantId, counted.waiting);
  if (createsSession(requested)) capacity.added('sessions', tenantId, counted?.sessions ?? null);
}

/** Null where it takes the locks of key and session to accept the turn, or to tell why it is refused. */
async function acceptWithoutLocks(
  pool: Database['pool'],
  command: SubmitCommand,
  caps: Caps,
  dispatch: { takesJob: boolean; worker: OfferingWorker | null },
): Promise<Acceptance | null> {
  const { requested, idempotency } = command;
  if (requested.of === 'fork' || requested.of === 'rerun') return null;
  if (requested.of === 'stopped_turn' || fileIdsIn(inputOf(requested)).length > 0) return null;
  if (requested.of === 'session') {
    const { multitask_strategy: strategy } = requested.submission;
    if (strategy === 'interrupt' || strategy === 'rollback') return null;
    if (strategy === 'steer') {
      // With a key, the message and the record are one transaction.
      if (idempotency !== null) return null;
      const joined = await joinTurn(pool, command, null);
      if (joined !== null) return joined;
    }
  }
  const turn = newTurn(
    { ...command, requested },
    caps,
    requested.of === 'session' ? requested.sessionId : newId('session'),
  );
  const outcome = await insertTurnInGroup(pool, { ...turn, ...dispatch }, idempotency);
  if (outcome.turn !== null) return { ...outcome, cancelled: [] };
  const rejection = rejectionWithoutLocks(outcome.refusal, caps);
  if (rejection !== null) throw rejection;
  return null;
}

/** Locks in the order of decision 8: the tenant's counts, the session, its turns, files. `sql` is in a transaction. */
export async function acceptUnderLocks(sql: Sql, asked: SubmitCommand, caps: Caps): Promise<Acceptance> {
  if (caps.waiting !== null) await lockWaiting(sql, asked.tenantId);
  const { command, sessions } = await forkFor(sql, asked, caps);
  const { sessionId, joined, cancelled, used } = await lockSessionFor(sql, command);
  if (joined !== null) return joined;
  const turn = newTurn(command, caps, sessionId, used.files);
  const outcome = await insertTurn(sql, turn);
  if (outcome.turn !== null) {
    await used.giveTo(sessionId);
    const counted = { ...outcome.counted, sessions: sessions ?? outcome.counted.sessions };
    return { ...outcome, counted, cancelled };
  }
  throw await rejectionUnderLocks(sql, command, sessionId, outcome.refusal, caps);
}

/** Copies the session that the turn is to be in, where it asks for a copy: from then on it is a turn like any other. */
async function forkFor(
  sql: Sql,
  command: SubmitCommand,
  caps: Caps,
): Promise<{ command: PlainCommand; sessions: number | null }> {
  const { tenantId, requested } = command;
  if (requested.of === 'rerun') {
    const rerun = await forkForRerun(sql, tenantId, requested, caps.sessions);
    return { command: { ...command, requested: rerun.requested }, sessions: rerun.sessions };
  }
  if (requested.of !== 'fork') return { command: { ...command, requested }, sessions: null };
  const { after, submission } = requested;
  const fork = await forkSession(sql, { tenantId, sessionId: null, after, mostSessions: caps.sessions });
  const inFork = { of: 'session' as const, sessionId: fork.session.id, submission };
  return { command: { ...command, requested: inFork }, sessions: fork.sessions };
}

/** Locks the session that the turn is for, where it exists, and does to its turns what the request asks for. */
async function lockSessionFor(
  sql: Sql,
  command: PlainCommand,
): Promise<{ sessionId: string; joined: Acceptance | null; cancelled: CancelledTurn[]; used: UsedFiles }> {
  const { tenantId, requested } = command;
  const useInput = (): Promise<UsedFiles> =>
    useFiles(sql, tenantId, [{ blocks: inputOf(requested), path: 'input' }]);
  const plain = { joined: null, cancelled: [] };
  if (requested.of === 'new_session')
    return { ...plain, sessionId: newId('session'), used: await useInput() };
  if (requested.of === 'stopped_turn') {
    const sessionId = await lockStoppedTurn(sql, tenantId, requested.turnId);
    return { ...plain, sessionId, used: await useInput() };
  }
  const { sessionId, submission } = requested;
  const { multitask_strategy: strategy } = submission;
  if (strategy === 'interrupt' || strategy === 'rollback') {
    const session = { tenantId, sessionId, rollBack: strategy === 'rollback' };
    const cancelled = await cancelOpenTurns(sql, session, TRANSITIONS.cancel.from);
    return { ...plain, sessionId, cancelled, used: await useInput() };
  }
  // In this order, also where they leave in one round trip.
  const [, used] = await Promise.all([lockSession(sql, tenantId, sessionId), useInput()]);
  const joined = strategy === 'steer' ? await joinTurn(sql, command, used) : null;
  return { ...plain, sessionId, joined, used };
}

/** Adds the input to the turn of the session that runs; null where none does. `used`: null where it names no file. */
async function joinTurn(
  sql: Sql,
  { tenantId, requested }: Pick<SubmitCommand, 'tenantId' | 'requested'>,
  used: UsedFiles | null,
): Promise<Acceptance | null> {
  if (requested.of !== 'session') return null;
  const { sessionId, submission } = requested;
  const message = {
    tenantId,
    sessionId,
    messageId: newId('message'),
    content: withFileSources(inputOf(requested), used?.files ?? new Map()),
    webhookUrl: webhookUrlOf(submission),
  };
  const turn = await steerTurn(sql, message, TRANSITIONS.steer.from);
  if (turn === null) return null;
  await used?.giveTo(sessionId);
  return {
    turn,
    isHead: false,
    job: null,
    isHandedOver: false,
    recordedBody: null,
    counted: null,
    cancelled: [],
  };
}

function inputOf({ submission }: RequestedTurn): ContentBlock[] {
  return 'input' in submission && submission.input !== undefined ? inputBlocks(submission.input) : [];
}

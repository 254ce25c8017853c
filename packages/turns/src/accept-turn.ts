import { acceptedResponse, inputBlocks, newId, type Turn } from '@turnpike/contract';
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
  type Sql,
  type StoredResponse,
} from '@turnpike/store';
import { budgetExceeded } from './budget-check.ts';
import { newTurn, webhookUrlOf, type Caps } from './new-turn.ts';
import { rejectionUnderLocks, rejectionWithoutLocks } from './rejection-reason.ts';
import { lockStoppedTurn } from './lock-stopped-turn.ts';
import type { CapacityCache } from './capacity-cache.ts';
import type { RequestedTurn, SubmitCommand, SubmitParts } from './submit-command.ts';
import { TRANSITIONS } from './transitions.ts';

/** A turn that is committed, and what became of other turns by it. */
export interface Acceptance {
  turn: Turn;
  /** True where it may be dispatched. */
  isHead: boolean;
  /** Its job, where it was dispatched with its insert. */
  job: DispatchedTurn | null;
  /** What was counted before it was added; null where its message joined a turn instead. */
  counted: Counted | null;
  /** Turns that it cancelled, or asked to stop: to be announced. */
  cancelled: CancelledTurn[];
}

/**
 * Commits a turn, or finds the response that was sent for its idempotency key. Throws as `submitTurn` does.
 *
 * Most turns are inserted without waiting for a lock, in a transaction that they share. A turn that must look at
 * others of its session, or that was not stored for a reason which only the locks of key and session can tell, has
 * a transaction of its own, which waits for them.
 *
 * `takesJob`: the caller adds the job of a turn that was dispatched with its insert to the queue.
 */
export async function acceptTurn(
  {
    database: { pool },
    capacity,
    budgetCheck,
  }: Pick<SubmitParts, 'capacity' | 'budgetCheck'> & { database: Pick<Database, 'pool'> },
  command: SubmitCommand,
  { takesJob = false }: { takesJob?: boolean } = {},
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
  const sessions =
    requested.of === 'new_session' ? await capacity.startCount('sessions', tenantId, limits) : null;
  try {
    const caps = { waiting: waiting.limit, sessions: sessions?.limit ?? null };
    const done = await acceptWithoutLocks(pool, command, caps, takesJob);
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

function recordCounts(
  capacity: CapacityCache,
  tenantId: string,
  requested: RequestedTurn,
  { counted }: Acceptance,
): void {
  if (counted !== null) capacity.added('waiting', tenantId, counted.waiting);
  if (requested.of === 'new_session') capacity.added('sessions', tenantId, counted?.sessions ?? null);
}

/** Null where it takes the locks of key and session to accept the turn, or to tell why it is refused. */
async function acceptWithoutLocks(
  pool: Database['pool'],
  command: SubmitCommand,
  caps: Caps,
  takesJob: boolean,
): Promise<Acceptance | null> {
  const { requested, idempotency } = command;
  if (requested.of === 'stopped_turn') return null;
  if (requested.of === 'session') {
    const { multitask_strategy: strategy } = requested.submission;
    if (strategy === 'interrupt' || strategy === 'rollback') return null;
    if (strategy === 'steer') {
      // With a key, the message and the record are one transaction.
      if (idempotency !== null) return null;
      const joined = await joinTurn(pool, command);
      if (joined !== null) return joined;
    }
  }
  const turn = newTurn(command, caps, requested.of === 'session' ? requested.sessionId : newId('session'));
  const outcome = await insertTurnInGroup(pool, { ...turn, takesJob }, idempotency);
  if (outcome.turn !== null) return { ...outcome, cancelled: [] };
  const rejection = rejectionWithoutLocks(outcome.refusal, caps);
  if (rejection !== null) throw rejection;
  return null;
}

/** Locks in the order of decision 8: the tenant's counts, the session, its turns. `sql` is in a transaction. */
async function acceptUnderLocks(sql: Sql, command: SubmitCommand, caps: Caps): Promise<Acceptance> {
  if (caps.waiting !== null) await lockWaiting(sql, command.tenantId);
  const { sessionId, joined, cancelled } = await lockSessionFor(sql, command);
  if (joined !== null) return joined;
  const turn = newTurn(command, caps, sessionId);
  const outcome = await insertTurn(sql, turn);
  if (outcome.turn !== null) return { ...outcome, cancelled };
  throw await rejectionUnderLocks(sql, command, sessionId, outcome.refusal, caps);
}

/** Locks the session that the turn is for, where it exists, and does to its turns what the request asks for. */
async function lockSessionFor(
  sql: Sql,
  command: SubmitCommand,
): Promise<{ sessionId: string; joined: Acceptance | null; cancelled: CancelledTurn[] }> {
  const { tenantId, requested } = command;
  const plain = { joined: null, cancelled: [] };
  if (requested.of === 'new_session') return { ...plain, sessionId: newId('session') };
  if (requested.of === 'stopped_turn') {
    return { ...plain, sessionId: await lockStoppedTurn(sql, tenantId, requested.turnId) };
  }
  const { sessionId, submission } = requested;
  const { multitask_strategy: strategy } = submission;
  if (strategy === 'interrupt' || strategy === 'rollback') {
    const session = { tenantId, sessionId, rollBack: strategy === 'rollback' };
    return { ...plain, sessionId, cancelled: await cancelOpenTurns(sql, session, TRANSITIONS.cancel.from) };
  }
  const [, joined] = await Promise.all([
    lockSession(sql, tenantId, sessionId),
    strategy === 'steer' ? joinTurn(sql, command) : null,
  ]);
  return { ...plain, sessionId, joined };
}

/** Adds the input to the turn of the session that runs; null where none does. */
async function joinTurn(
  sql: Sql,
  { tenantId, requested }: Pick<SubmitCommand, 'tenantId' | 'requested'>,
): Promise<Acceptance | null> {
  if (requested.of !== 'session') return null;
  const { sessionId, submission } = requested;
  const message = {
    tenantId,
    sessionId,
    messageId: newId('message'),
    content: inputBlocks(submission.input),
    webhookUrl: webhookUrlOf(submission),
  };
  const turn = await steerTurn(sql, message, TRANSITIONS.steer.from);
  return turn === null ? null : { turn, isHead: false, job: null, counted: null, cancelled: [] };
}

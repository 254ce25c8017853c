import { inputBlocks, newId, ProblemError, type StartTurn, type SubmitTurn } from '@turnpike/contract';
import {
  cancelOpenTurns,
  findOpenTurn,
  insertTurn,
  insertTurnWithSession,
  inTransaction,
  sessionExists,
  steerTurn,
  type AcceptedTurn,
  type CancelledTurn,
  type NewTurn,
  type Sql,
} from '@turnpike/store';
import { TRANSITIONS } from './transitions.ts';

/** A day: longer than any agent should think, short enough that nothing is forgotten for ever. */
const DEFAULT_DEADLINE_MS = 24 * 60 * 60 * 1000;

/** A submission that is stored, and what became of other turns by it. */
export interface Acceptance extends AcceptedTurn {
  /** Turns that it cancelled, or asked to stop: to be announced. */
  cancelled: CancelledTurn[];
}

/**
 * Stores a turn of a session that is there; once this is committed, the turn will end. What it does
 * to a busy session is its `multitask_strategy`; with `steer` it becomes part of the turn that runs,
 * and that turn is the answer.
 * Throws `ProblemError`: `not_found`, `agent_deleted`, `session_busy`.
 */
export async function acceptTurn(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
): Promise<Acceptance> {
  const strategy = submission.multitask_strategy;
  if (strategy === 'steer') {
    const steered = await steer(sql, tenantId, sessionId, submission);
    if (steered !== null) return steered;
  }
  if (strategy === 'interrupt' || strategy === 'rollback') {
    return inTransaction(sql, async (transaction) => {
      const session = { tenantId, sessionId, forget: strategy === 'rollback' };
      const cancelled = await cancelOpenTurns(transaction, session, TRANSITIONS.cancel.from);
      return { ...(await enqueue(transaction, tenantId, sessionId, submission)), cancelled };
    });
  }
  return enqueue(sql, tenantId, sessionId, submission);
}

async function steer(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
): Promise<Acceptance | null> {
  const message = {
    tenantId,
    sessionId,
    messageId: newId('message'),
    content: inputBlocks(submission.input),
  };
  const turn = await steerTurn(sql, message, TRANSITIONS.steer.from);
  return turn === null ? null : { turn, isHead: false, cancelled: [] };
}

async function enqueue(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
): Promise<Acceptance> {
  const onlyIfIdle = submission.multitask_strategy === 'reject';
  const accepted = await insertTurn(sql, { ...newTurn(tenantId, sessionId, submission), onlyIfIdle });
  if (accepted !== null) return { ...accepted, cancelled: [] };
  if (!(await sessionExists(sql, tenantId, sessionId))) {
    throw new ProblemError('not_found', `There is no session ${sessionId}.`);
  }
  const blocking = onlyIfIdle ? await findOpenTurn(sql, tenantId, sessionId) : null;
  if (blocking !== null) {
    throw new ProblemError('session_busy', `${blocking} has not ended yet.`, {
      blockingTurnId: blocking,
      retryAfterSeconds: 1,
    });
  }
  throw new ProblemError(
    'agent_deleted',
    `The agent of ${sessionId} was deleted, so it takes no more turns.`,
  );
}

/** Stores a turn together with a session for it. Throws `ProblemError`: `not_found`. */
export async function acceptTurnWithSession(
  sql: Sql,
  tenantId: string,
  submission: StartTurn,
): Promise<AcceptedTurn> {
  const accepted = await insertTurnWithSession(sql, {
    ...newTurn(tenantId, newId('session'), submission),
    agentId: submission.agent_id,
    sessionMetadata: submission.session_metadata ?? {},
  });
  if (accepted === null) {
    throw new ProblemError('not_found', `There is no agent ${submission.agent_id}.`);
  }
  return accepted;
}

function newTurn(
  tenantId: string,
  sessionId: string,
  submission: Omit<SubmitTurn, 'multitask_strategy'>,
): NewTurn {
  return {
    id: newId('turn'),
    tenantId,
    sessionId,
    messageId: newId('message'),
    eventId: newId('event'),
    input: inputBlocks(submission.input),
    metadata: submission.metadata ?? {},
    deadlineMs: submission.deadline_ms ?? DEFAULT_DEADLINE_MS,
  };
}

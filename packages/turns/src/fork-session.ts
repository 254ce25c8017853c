import { isFinal, newId, ProblemError, type Metadata, type Session } from '@turnpike/contract';
import {
  insertFork,
  readBeforeStep,
  readForkedMessage,
  readForkedTurn,
  readLastEnded,
  readSizeUpTo,
  type ForkedTurn,
  type ForkPoint,
  type Sql,
} from '@turnpike/store';
import { tooManySessions } from './rejection-reason.ts';
import type { ForkAfter } from './submit-command.ts';

export interface ForkCommand {
  tenantId: string;
  /** The session that is copied. Null: that of the turn. */
  sessionId: string | null;
  after: ForkAfter;
  /** Default: that of the session, as for `metadata` and `budgetMicros`. */
  agentId?: string | undefined;
  metadata?: Metadata | undefined;
  /** In millionths of a US dollar; null: none. */
  budgetMicros?: number | null | undefined;
  /** The most sessions that the tenant may have; null where there is capacity for certain. */
  mostSessions: number | null;
}

/** A session that was forked. `sessions`: how many the tenant had before; null where they were not counted. */
export interface Fork {
  session: Session;
  sessions: number | null;
}

/** Both bound how long the one statement takes that copies. */
const MOST_MESSAGES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Copies a session up to a turn, a step or a message into a new session, in the transaction of `sql`. The session that
 * is copied does not change, and goes on as before.
 * Throws `ProblemError`: `not_found`, `turn_not_ended` for a turn that has not ended and is to be copied as a whole,
 * `agent_deleted`, `session_limit`, `session_too_large`, `invalid_request` for a step that the turn does not have.
 */
export async function forkSession(sql: Sql, command: ForkCommand): Promise<Fork> {
  const { tenantId, after } = command;
  const point = await findPoint(sql, tenantId, command.sessionId, after);
  return insertForkAt(sql, command, point, null);
}

/** As `forkSession`, at a point that was found. `rerunOf`: the turn that is to be made again in it. */
export async function insertForkAt(
  sql: Sql,
  { tenantId, agentId, metadata, budgetMicros, mostSessions }: Omit<ForkCommand, 'sessionId' | 'after'>,
  point: ForkPoint,
  rerunOf: string | null,
): Promise<Fork> {
  const size = await readSizeUpTo(sql, point.sessionId, point.sequence);
  if (size.messages > MOST_MESSAGES || size.bytes > MOST_BYTES) {
    const detail = `${point.sessionId} has ${size.messages} messages of ${size.bytes} bytes up to there: at most ${MOST_MESSAGES} messages and ${MOST_BYTES} bytes are copied.`;
    throw new ProblemError('session_too_large', detail);
  }
  const { session, full, sessions } = await insertFork(sql, {
    id: newId('session'),
    tenantId,
    point,
    agentId: agentId ?? null,
    metadata: metadata ?? null,
    budgetMicros,
    mostSessions,
    rerunOf,
  });
  if (full) throw tooManySessions(mostSessions);
  if (session !== null) return { session, sessions };
  throw agentId === undefined
    ? new ProblemError('agent_deleted', `The agent of ${point.sessionId} was deleted: name another one.`)
    : new ProblemError('not_found', `There is no agent ${agentId}.`);
}

async function findPoint(
  sql: Sql,
  tenantId: string,
  sessionId: string | null,
  { turnId, step, messageId }: ForkAfter,
): Promise<ForkPoint> {
  if (turnId !== undefined) {
    const turn = await findTurn(sql, tenantId, turnId);
    if (sessionId !== null && turn.sessionId !== sessionId)
      throw new ProblemError('not_found', `${sessionId} has no turn ${turnId}.`);
    return step === undefined ? afterTurn(turn) : afterStep(sql, turn, step);
  }
  if (sessionId === null) throw new Error('A fork needs a session or a turn.');
  if (messageId !== undefined) return afterMessage(sql, tenantId, sessionId, messageId);
  const last = await readLastEnded(sql, tenantId, sessionId);
  if (last === null) throw new ProblemError('not_found', `There is no session ${sessionId}.`);
  return { sessionId, sequence: last.sequence, turnId: last.turnId, cut: null };
}

/** Throws `ProblemError`: `not_found`. */
export async function findTurn(sql: Sql, tenantId: string, turnId: string): Promise<ForkedTurn> {
  const turn = await readForkedTurn(sql, tenantId, turnId);
  if (turn === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
  return turn;
}

/** What a turn that runs will say is not known, so only committed steps of it can be copied. */
function afterTurn({ id, sessionId, sequence, status }: ForkedTurn): ForkPoint {
  if (!isFinal(status))
    throw new ProblemError(
      'turn_not_ended',
      `${id} has not ended: name one of its steps, or an earlier turn.`,
    );
  return { sessionId, sequence, turnId: id, cut: null };
}

async function afterStep(sql: Sql, turn: ForkedTurn, step: number): Promise<ForkPoint> {
  if (step >= turn.stepCount) {
    throw new ProblemError('invalid_request', 'The body is not valid.', {
      issues: [{ path: 'after_step', message: `${turn.id} has ${turn.stepCount} steps, from 0 on` }],
    });
  }
  return beforeStep(sql, turn, step + 1);
}

/** A turn that has ended is copied as it ended where nothing of it comes after. */
export async function beforeStep(sql: Sql, turn: ForkedTurn, step: number): Promise<ForkPoint> {
  const { id: turnId, sessionId, sequence } = turn;
  const { messageIndex, lastIndex } = await readBeforeStep(sql, turnId, step);
  const isWhole = isFinal(turn.status) && messageIndex === lastIndex && step === turn.stepCount;
  return { sessionId, sequence, turnId, cut: isWhole ? null : { messageIndex, stepIndex: step - 1 } };
}

async function afterMessage(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  messageId: string,
): Promise<ForkPoint> {
  const message = await readForkedMessage(sql, tenantId, { id: messageId, sessionId });
  if (message === null) throw new ProblemError('not_found', `${sessionId} has no message ${messageId}.`);
  const { turnId, messageIndex, stepIndex, lastIndex } = message;
  const turn = await findTurn(sql, tenantId, turnId);
  const isWhole = isFinal(turn.status) && messageIndex === lastIndex;
  return {
    sessionId,
    sequence: turn.sequence,
    turnId,
    cut: isWhole ? null : { messageIndex, stepIndex },
  };
}

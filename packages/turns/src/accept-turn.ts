import { inputBlocks, newId, ProblemError, type StartTurn, type SubmitTurn } from '@turnpike/contract';
import {
  insertTurn,
  insertTurnWithSession,
  sessionExists,
  type AcceptedTurn,
  type NewTurn,
  type Sql,
} from '@turnpike/store';

/** A day: longer than any agent should think, short enough that nothing is forgotten for ever. */
const DEFAULT_DEADLINE_MS = 24 * 60 * 60 * 1000;

/**
 * Stores a turn of a session that is there; once this is committed, the turn will end.
 * Throws `ProblemError`: `not_found`, `agent_deleted`.
 */
export async function acceptTurn(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
): Promise<AcceptedTurn> {
  const accepted = await insertTurn(sql, newTurn(tenantId, sessionId, submission));
  if (accepted !== null) return accepted;
  if (await sessionExists(sql, tenantId, sessionId)) {
    throw new ProblemError(
      'agent_deleted',
      `The agent of ${sessionId} was deleted, so it takes no more turns.`,
    );
  }
  throw new ProblemError('not_found', `There is no session ${sessionId}.`);
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

function newTurn(tenantId: string, sessionId: string, submission: SubmitTurn): NewTurn {
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

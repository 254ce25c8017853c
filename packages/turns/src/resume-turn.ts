import { isFinal, ProblemError, type ResumeTurn } from '@turnpike/contract';
import {
  insertTurn,
  inTransaction,
  lockStoppedTurn,
  lockWaiting,
  type AcceptedTurn,
  type Sql,
} from '@turnpike/store';
import { newTurn, throwWhereFull, throwWithoutVersion, type Caps } from './accept-turn.ts';

/**
 * Stores a turn that goes on where another stopped: it has no input of its own, and its first model call is
 * the one that the other did not come to. The other stays as it ended.
 * Throws `ProblemError`: `not_found`, `not_resumable`, `agent_deleted`, `queue_full`, and `invalid_request` for a
 * version that the agent does not have.
 */
export function resumeTurn(
  sql: Sql,
  tenantId: string,
  turnId: string,
  resumption: ResumeTurn,
  caps: Caps,
  traceparent: string | null = null,
): Promise<AcceptedTurn> {
  return inTransaction(sql, async (transaction) => {
    if (caps.waiting != null) await lockWaiting(transaction, tenantId);
    const stopped = await lockStoppedTurn(transaction, tenantId, turnId);
    if (stopped === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
    const refuse = (why: string): ProblemError => new ProblemError('not_resumable', `${turnId} ${why}.`);
    if (!isFinal(stopped.status)) throw refuse('has not ended');
    if (!stopped.isNewest) throw refuse('is not the newest turn of its session');
    if (stopped.isForgotten) throw refuse('was rolled back');
    if (stopped.lastRole !== 'user' && !stopped.isPartial)
      throw refuse('has its answer: submit a new turn instead');
    const turn = newTurn(tenantId, stopped.sessionId, null, resumption, caps);
    const accepted = await insertTurn(transaction, {
      ...turn,
      resumes: turnId,
      onlyIfIdle: false,
      traceparent,
    });
    if (accepted.turn === null) {
      throwWhereFull(accepted, caps);
      await throwWithoutVersion(transaction, tenantId, { sessionId: stopped.sessionId }, resumption);
      throw new ProblemError('agent_deleted', 'The agent was deleted, so its sessions take no more turns.');
    }
    return accepted;
  });
}

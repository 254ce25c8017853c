import { isFinal, ProblemError } from '@turnpike/contract';
import { lockStoppedTurn as lockStored, type Sql } from '@turnpike/store';

/**
 * Finds the session of a turn that stopped before the model had responded, and locks it until the transaction ends.
 * A turn that resumes it has no input of its own: its first model call is the one that the stopped turn did not
 * make. The stopped turn stays as it ended.
 * Throws `ProblemError`: `not_found`, `not_resumable`.
 */
export async function lockStoppedTurn(sql: Sql, tenantId: string, turnId: string): Promise<string> {
  const stopped = await lockStored(sql, tenantId, turnId);
  if (stopped === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
  const refuse = (reason: string): ProblemError => new ProblemError('not_resumable', `${turnId} ${reason}.`);
  if (!isFinal(stopped.status)) throw refuse('has not ended');
  if (!stopped.isNewest) throw refuse('is not the newest turn of its session');
  if (stopped.isRolledBack) throw refuse('was rolled back');
  if (stopped.lastRole !== 'user' && !stopped.isPartial)
    throw refuse('has its model response: submit a new turn instead');
  return stopped.sessionId;
}

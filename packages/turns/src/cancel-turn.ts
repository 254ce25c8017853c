import { ProblemError, type Turn } from '@turnpike/contract';
import { cancelTurn as cancelStored, readTurn, type CancelledTurn, type Sql } from '@turnpike/store';
import { TRANSITIONS } from './transitions.ts';

/**
 * Cancels a turn in whatever state before its end: at once where nobody holds it, else it is
 * `cancelling` until its worker confirms. A turn that has ended stays as it is.
 * `cancelled` is what is to be announced; null where nothing changed.
 * Throws `ProblemError`: `not_found`.
 */
export async function cancelTurn(
  sql: Sql,
  tenantId: string,
  turnId: string,
): Promise<{ turn: Turn; cancelled: CancelledTurn | null }> {
  const cancelled = await cancelStored(sql, tenantId, turnId, TRANSITIONS.cancel.from);
  const turn = await readTurn(sql, tenantId, turnId);
  if (turn === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
  return { turn, cancelled };
}

import type { Turn } from '@turnpike/contract';
import type { Sql } from '@turnpike/store';
import { announceCancelled, cancelTurn as cancelStored } from '@turnpike/turns';
import type { Services } from './route.ts';

/** Cancels a turn. Throws `ProblemError`: `not_found`. `afterCommit` is to be called once it is committed. */
export async function cancelTurn(
  services: Services,
  { sql, tenantId }: { sql: Sql; tenantId: string },
  turnId: string,
): Promise<{ turn: Turn; afterCommit: () => void }> {
  const { turn, cancelled } = await cancelStored(sql, tenantId, turnId);
  return {
    turn,
    afterCommit: () => announceCancelled(services, tenantId, turn, cancelled === null ? [] : [cancelled]),
  };
}

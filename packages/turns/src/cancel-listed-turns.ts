import { ProblemError } from '@turnpike/contract';
import { announceCancelled, cancelTurn } from './cancel-turn.ts';
import type { SubmitParts } from './submit-command.ts';

const AT_ONCE = 8;

/** Cancels turns of a tenant, each in a transaction of its own. One that was erased meanwhile is passed over. */
export async function cancelListedTurns(
  parts: Pick<SubmitParts, 'database' | 'backplane' | 'dispatcher' | 'reportError'>,
  tenantId: string,
  turnIds: readonly string[],
): Promise<void> {
  const cancel = async (id: string): Promise<void> => {
    const { turn, cancelled } = await cancelTurn(parts.database.pool, tenantId, id);
    if (cancelled !== null) announceCancelled(parts, tenantId, turn, [cancelled]);
  };
  for (let start = 0; start < turnIds.length; start += AT_ONCE)
    await Promise.all(turnIds.slice(start, start + AT_ONCE).map((id) => cancel(id).catch(ignoreErased)));
}

function ignoreErased(error: unknown): void {
  if (!(error instanceof ProblemError)) throw error;
}

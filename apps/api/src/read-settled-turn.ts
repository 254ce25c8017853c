import { isSettled, ProblemError, type Turn } from '@turnpike/contract';
import { readTurnInGroup } from '@turnpike/store';
import type { Services } from './route.ts';

export const noTurn = (id: string): ProblemError => new ProblemError('not_found', `There is no turn ${id}.`);

/** For a turn that was just accepted: the signal of its end comes sooner, or was lost with its worker. */
const FIRST_READ_AFTER_MS = 500;

/**
 * Reads a turn once it is settled, or in its current state once the time has passed or the client has disconnected.
 * Throws `ProblemError`: `not_found`.
 */
export async function readSettledTurn(
  { database, waiters }: Services,
  tenantId: string,
  turnId: string,
  waitMs: number,
  whenGone: () => AbortSignal,
): Promise<Turn> {
  const read = async (): Promise<Turn> => {
    const turn = await waiters.reads.read(`${tenantId} ${turnId}`, () =>
      readTurnInGroup(database.pool, tenantId, turnId),
    );
    if (turn === null) throw noTurn(turnId);
    return turn;
  };
  if (waitMs === 0) return read();
  // Entered before the first read, so that no change between the two is missed.
  const waiter = waiters.enter(turnId, waitMs, whenGone());
  if (waiter === null) return read();
  try {
    if (waiters.fresh.take(tenantId, turnId)) await waiter.nextWithin(FIRST_READ_AFTER_MS);
    for (;;) {
      const turn = await read();
      if (isSettled(turn.status)) return turn;
      if ((await waiter.next()) === 'over') return await read();
    }
  } finally {
    waiter.leave();
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { LeaseLostError, type Advance, type AdvanceResult } from '@turnpike/contract';
import { advanceTurn, readProgress, StoreUnavailableError, type Database } from '@turnpike/store';
import { TRANSITIONS } from './transitions.ts';
import { retryDelayMs } from './until-stored.ts';

/**
 * Commits all of it or nothing. While the database cannot be reached, and the lease lasts, the same write is sent
 * again: it names the event count that it builds on, so that it is committed once.
 * Throws what `assertHeld` throws, and `LeaseLostError` where another may own the turn.
 */
export async function commitAdvance(
  database: Database,
  turn: { turnId: string; epoch: number; eventCount: number },
  advance: Advance,
  assertHeld: () => void,
): Promise<AdvanceResult> {
  const fence = { ...turn, from: TRANSITIONS.advance.from };
  let uncertain: StoreUnavailableError | undefined;
  for (;;) {
    assertHeld();
    try {
      const advanced = await advanceTurn(database.pool, fence, advance);
      if (advanced !== null) return advanced;
      // The response to an earlier try may have been lost after its commit: then it is our own write that is found.
      const progress = uncertain === undefined ? null : await readProgress(database.pool, fence);
      const isCommitted = progress?.eventCount === fence.eventCount + advance.events.length;
      // Which inputs that commit added to the conversation is not known here; the next lease reads them.
      if (!isCommitted || advance.addPendingInputs === true) throw new LeaseLostError(turn.turnId, uncertain);
      return { ...progress, addedInputs: [], othersMayRun: true };
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      uncertain = error;
      await delay(retryDelayMs());
    }
  }
}

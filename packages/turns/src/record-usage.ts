import { setTimeout as delay } from 'node:timers/promises';
import type { InterruptedCall } from '@turnpike/contract';
import { recordPartialUsage, StoreUnavailableError, type Database, type LeasedTurn } from '@turnpike/store';
import { retryDelayMs } from './until-stored.ts';

/** For so long it is retried, and so long each try may take. */
const LIMIT_MS = 3_000;

/**
 * Records the usage of a call that became no step. It needs no lease: it was spent, also where another
 * worker holds the turn now.
 * Throws where the database cannot be reached for `LIMIT_MS`, or refuses it.
 */
export async function recordUsage(
  database: Database,
  turn: LeasedTurn,
  call: InterruptedCall,
): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    try {
      await recordPartialUsage(database.pool, turn, call, LIMIT_MS);
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || performance.now() > end) throw error;
      await delay(retryDelayMs());
    }
  }
}

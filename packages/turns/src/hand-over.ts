import type { OfferedSlot } from '@turnpike/backplane';
import { giveBackTurn, type Database, type HandedTurn } from '@turnpike/store';
import type { Dispatcher } from './dispatcher.ts';
import type { SubmitParts } from './submit-command.ts';

/** Of a turn that was stored as claimed: the first. */
const FIRST_EPOCH = 1;

/**
 * Tells a worker that a turn was accepted into the slot that it offered; queues the turn where no such worker is there.
 * Never rejects: where it is not known what became of it, the turn is queued when its lease ends.
 */
export async function handOver(
  parts: Pick<SubmitParts, 'database' | 'dispatcher' | 'reportError'>,
  slot: OfferedSlot,
  turnId: string,
): Promise<void> {
  const handed = { turnId, epoch: FIRST_EPOCH, workerId: slot.workerId };
  try {
    const isTold = await slot.give({ turnId, epoch: FIRST_EPOCH });
    if (!isTold) await giveBack(parts, handed);
  } catch (error) {
    parts.reportError(error, { turn_id: turnId });
  }
}

/** Queues a turn that its worker did not get, or has no slot for. */
export async function giveBack(
  { database, dispatcher }: { database: Database; dispatcher: Dispatcher },
  handed: HandedTurn,
): Promise<void> {
  const job = await giveBackTurn(database.pool, handed);
  if (job !== null) dispatcher.dispatched(job);
}

import type { Backplane } from '@turnpike/backplane';
import { eraseSessionsOfUser, type Database } from '@turnpike/store';
import type { Dispatcher } from './dispatcher.ts';

/** Of one transaction: a session may have very many rows. */
const SESSIONS = 5;
/** Transactions of a pass. */
const MOST_BATCHES = 40;

/** Goes on with the erasures of users that are pending, one after another. Returns how many sessions were erased. */
export async function eraseUsers({
  database,
  backplane,
  dispatcher,
}: {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
}): Promise<number> {
  let count = 0;
  let after = '';
  for (let batch = 0; batch < MOST_BATCHES; batch++) {
    const erased = await eraseSessionsOfUser(database, after, SESSIONS);
    if (erased === null) break;
    const { id, tenantId, sessionIds } = erased;
    // One that is completed, or that somebody else has, is behind.
    if (sessionIds.length === 0) after = id;
    count += sessionIds.length;
    dispatcher.changed({ tenantId });
    // Clients that follow a turn of it read again, and find that it is gone.
    for (const sessionId of sessionIds)
      backplane.live.changed({ sessionId, turnId: sessionId, eventCount: null });
  }
  return count;
}

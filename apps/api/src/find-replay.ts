import { acceptedResponse } from '@turnpike/contract';
import { runOnce, type Database, type IdempotentRequest, type StoredResponse } from '@turnpike/store';

/** The response to an earlier request with this key; null where none was executed. Throws as `runOnce` does. */
export async function findReplay(
  pool: Database['pool'],
  idempotency: IdempotentRequest,
): Promise<StoredResponse | null> {
  // Nothing is kept of what throws.
  const none = new Error('No request with this key was executed.');
  try {
    const found = await runOnce(pool, idempotency, () => Promise.reject(none), acceptedResponse);
    return 'replay' in found ? found.replay : null;
  } catch (error) {
    if (error === none) return null;
    throw error;
  }
}

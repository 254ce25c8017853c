import type pg from 'pg';
import { GroupCommit, MOST_SHARED_BYTES, perPool } from '../database/group-commit.ts';
import { violates } from '../database/sql.ts';
import { RECORD_KEY, untilKeyFree, type IdempotentRequest } from '../idempotency/idempotency.ts';
import { insertTurns, NOT_STORED, type InsertOutcome, type NewTurn, type Submission } from './insert-turn.ts';

/**
 * Stores a turn, and the response to `request` where it has an idempotency key, in a statement that it shares
 * with those that arrive meanwhile (decision 6). One that is counted under a cap, or is large, has its own. Waits
 * for the lock of no session and no key.
 */
export async function insertTurnInGroup(
  pool: pg.Pool,
  turn: NewTurn,
  request: IdempotentRequest | null,
): Promise<InsertOutcome> {
  const submission = { turn, request };
  const bytes = JSON.stringify([turn.input, turn.submitted.metadata, turn.submitted.overrides]).length;
  const isCounted = turn.mostWaiting != null || turn.mostSessions != null;
  try {
    if (!isCounted && bytes <= MOST_SHARED_BYTES) return await groupOf(pool).add(submission, bytes);
    const [outcome = NOT_STORED] = await insertTogether(pool, [submission]);
    return outcome;
  } catch (error) {
    // The record was committed between the look for it and the lock of its key.
    if (request === null || !violates(error, RECORD_KEY)) throw error;
    await untilKeyFree(pool, request);
    return { turn: null, refusal: 'key_used' };
  }
}

const groupOf = perPool(
  (pool) =>
    new GroupCommit<Submission, InsertOutcome>({
      write: (submissions) => insertTogether(pool, submissions),
      // Requests with the same key are for the same session, or each would create one.
      keyOf: ({ turn, request }) =>
        turn.agentId != null && request !== null ? `${turn.tenantId} ${request.key}` : turn.sessionId,
    }),
);

function insertTogether(pool: pg.Pool, submissions: readonly Submission[]): Promise<InsertOutcome[]> {
  const mayDispatch = submissions.every(({ turn }) => turn.takesJob === true);
  return insertTurns(pool, submissions, mayDispatch);
}

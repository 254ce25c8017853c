import { acceptedResponse } from '@turnpike/contract';
import type pg from 'pg';
import { GroupCommit, MOST_SHARED_BYTES, perPool } from '../database/group-commit.ts';
import { transaction, violates } from '../database/sql.ts';
import { insertRecords, newRecord, RECORD_KEY, type IdempotentRequest } from '../idempotency/idempotency.ts';
import { insertTurns, NOT_STORED, type InsertOutcome, type NewTurn, type Submission } from './insert-turn.ts';

/**
 * Stores a turn, and the response to `request` where it has an idempotency key, in a transaction that it shares
 * with those that arrive meanwhile (decision 6). One that is counted under a cap, or is large, has its own. Waits
 * for the lock of no session and no key.
 */
export async function insertTurnInGroup(
  pool: pg.Pool,
  turn: NewTurn,
  request: IdempotentRequest | null,
): Promise<InsertOutcome> {
  const submission = { turn, request };
  const bytes = JSON.stringify([turn.input, turn.submitted.metadata]).length;
  const isCounted = turn.mostWaiting != null || turn.mostSessions != null;
  try {
    if (!isCounted && bytes <= MOST_SHARED_BYTES) return await groupOf(pool).add(submission, bytes);
    const [outcome = NOT_STORED] = await insertWithRecords(pool, [submission]);
    return outcome;
  } catch (error) {
    // The record was committed between the look for it and the lock of its key.
    if (violates(error, RECORD_KEY)) return { turn: null, refusal: 'key_used' };
    throw error;
  }
}

const groupOf = perPool(
  (pool) =>
    new GroupCommit<Submission, InsertOutcome>({
      write: (submissions) => insertWithRecords(pool, submissions),
      // Requests with the same key are for the same session, or each would create one.
      keyOf: ({ turn, request }) =>
        turn.agentId != null && request !== null ? `${turn.tenantId} ${request.key}` : turn.sessionId,
    }),
);

/** One statement where no request has a key; else the records are written with the commit. */
async function insertWithRecords(
  pool: pg.Pool,
  submissions: readonly Submission[],
): Promise<InsertOutcome[]> {
  if (submissions.every(({ request }) => request === null)) {
    const mayDispatch = submissions.every(({ turn }) => turn.takesJob === true);
    return insertTurns(pool, submissions, mayDispatch);
  }
  const inserted = await transaction(
    pool,
    async (sql) => {
      const outcomes = await insertTurns(sql, submissions);
      const records = submissions.flatMap(({ request }, index) => {
        const turn = outcomes[index]?.turn ?? null;
        return request === null || turn === null ? [] : [newRecord(request, acceptedResponse(turn))];
      });
      return { outcomes, records: await Promise.all(records) };
    },
    (sql, { records }) => (records.length === 0 ? undefined : insertRecords(sql, records)),
  );
  return inserted.outcomes;
}

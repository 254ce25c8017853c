import type pg from 'pg';
import {
  groupStatement,
  insertGroup,
  sharedBytes,
  type AcceptedTurn,
  type Given,
  type GroupKind,
  type RefusedTurn,
} from './accept-turn.ts';
import { GroupCommit, perPool } from './group-commit.ts';
import { lockedKey, writeAnswers, type IdempotentRequest, type StoredAnswer } from './idempotency.ts';
import { transaction } from './sql.ts';

/** A request that is to be answered once, and the answer that is kept for whoever sends it again. */
export interface Once {
  request: IdempotentRequest;
  answer: (accepted: AcceptedTurn) => StoredAnswer;
}

interface Item {
  turn: Given;
  once: Once;
}

/*
 * Invariant: of the requests with one key one at most is done, and never without its record. A turn is stored
 * only while its statement holds the lock of its key, as `answerOnce` does, and where no record of the key was
 * seen. One that was committed after the statement looked, and before it held the lock, makes the insert of the
 * record fail, and with it all that the transaction wrote.
 */
const ONCE = {
  types: ', $21::text[], $22::text[]',
  names: ', route, key',
  where: `WHERE NOT EXISTS (SELECT 1 FROM idempotency_records AS records
      WHERE records.tenant_id = given.tenant_id AND records.route = given.route AND records.key = given.key)
    AND ${lockedKey(`given.tenant_id || ' ' || given.route || ' ' || given.key`)}`,
};

const STATEMENTS = {
  accept: groupStatement('accept-turns-once', 'accept', ONCE),
  start: groupStatement('start-session-turns-once', 'start', ONCE),
};

/**
 * Stores a turn together with the answer to its request, and with those that come meanwhile. Null where nothing
 * was stored: it may not share a statement, the key was seen or is in use, or the turn is refused. Which of these
 * it is, `answerOnce` finds out.
 */
export async function insertTurnOnce(
  pool: pg.Pool,
  kind: GroupKind,
  turn: Given,
  once: Once,
): Promise<AcceptedTurn | null> {
  const bytes = sharedBytes(turn);
  if (bytes === null) return null;
  const accepted = await groupsOf(pool)[kind].add({ turn, once }, bytes);
  return accepted.turn === null ? null : accepted;
}

const groupsOf = perPool((pool) => {
  const group = (kind: GroupKind): GroupCommit<Item, AcceptedTurn | RefusedTurn> =>
    new GroupCommit({
      write: (items) => insertOnce(pool, kind, items),
      // A session's turns have a route of their own, so no two requests of a group have the same key there.
      keyOf: ({ turn, once }) =>
        kind === 'accept' ? turn.sessionId : `${turn.tenantId} ${once.request.key}`,
    });
  return { accept: group('accept'), start: group('start') };
});

function insertOnce(
  pool: pg.Pool,
  kind: GroupKind,
  items: readonly Item[],
): Promise<(AcceptedTurn | RefusedTurn)[]> {
  const turns = items.map(({ turn }) => turn);
  const routes = items.map(({ once }) => once.request.route);
  const keys = items.map(({ once }) => once.request.key);
  return transaction(
    pool,
    (sql) => insertGroup(sql, STATEMENTS[kind], turns, [routes, keys]),
    (sql, results) => {
      const records = results.flatMap((result, place) => {
        const once = items[place]?.once;
        if (result.turn === null || once === undefined) return [];
        return [{ request: once.request, answer: once.answer(result) }];
      });
      return records.length === 0 ? undefined : writeAnswers(sql, records);
    },
  );
}

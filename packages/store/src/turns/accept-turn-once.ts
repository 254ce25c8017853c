import type pg from 'pg';
import {
  groupStatement,
  insertGroup,
  sharedBytes,
  type AcceptedTurn,
  type Given,
  type GroupKind,
} from './accept-turn.ts';
import { GroupCommit, perPool } from '../database/group-commit.ts';
import {
  lockedKey,
  writeResponses,
  type IdempotentRequest,
  type StoredResponse,
} from '../idempotency/idempotency.ts';
import { packResponse } from '../idempotency/pack-response.ts';
import { transaction } from '../database/sql.ts';

/** A request that is to be answered once, and the answer that is kept for whoever sends it again. */
export interface Once {
  request: IdempotentRequest;
  answer: (accepted: AcceptedTurn) => StoredResponse;
}

interface Item {
  turn: Given;
  once: Once;
}

/*
 * Invariant: of the requests with one key one at most is done, and never without its record. A turn is stored
 * only while its statement holds the lock of its key, as `runOnce` does, and where no record of the key was
 * seen. One that was committed after the statement looked, and before it held the lock, makes the insert of the
 * record fail, and with it all that the transaction wrote.
 */
const ONCE = {
  types: ', $22::text[], $23::text[]',
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
 * Stores a turn together with the answer to its request, and with those that come meanwhile. Returns that answer,
 * null where nothing was stored: it may not share a statement, the key was seen or is in use, or the turn is refused. Which of these
 * it is, `runOnce` finds out.
 */
export async function insertTurnOnce(
  pool: pg.Pool,
  kind: GroupKind,
  turn: Given,
  once: Once,
): Promise<StoredResponse | null> {
  const bytes = sharedBytes(turn);
  return bytes === null ? null : groupsOf(pool)[kind].add({ turn, once }, bytes);
}

const groupsOf = perPool((pool) => {
  const group = (kind: GroupKind): GroupCommit<Item, StoredResponse | null> =>
    new GroupCommit({
      write: (items) => insertOnce(pool, kind, items),
      // A session's turns have a route of their own, so no two requests of a group have the same key there.
      keyOf: ({ turn, once }) =>
        kind === 'accept' ? turn.sessionId : `${turn.tenantId} ${once.request.key}`,
    });
  return { accept: group('accept'), start: group('start') };
});

async function insertOnce(
  pool: pg.Pool,
  kind: GroupKind,
  items: readonly Item[],
): Promise<(StoredResponse | null)[]> {
  const turns = items.map(({ turn }) => turn);
  const requests = items.map(({ once }) => once.request);
  const columns = [requests.map(({ route }) => route), requests.map(({ key }) => key)];
  const records = await transaction(
    pool,
    async (sql) => {
      const results = await insertGroup(sql, STATEMENTS[kind], turns, columns);
      return Promise.all(
        items.map(async ({ once }, place) => {
          const result = results[place];
          if (result === undefined || result.turn === null) return null;
          const answer = once.answer(result);
          return { request: once.request, answer, packed: await packResponse(answer.body) };
        }),
      );
    },
    (sql, made) => {
      const written = made.filter((record) => record !== null);
      return written.length === 0 ? undefined : writeResponses(sql, written);
    },
  );
  return records.map((record) => record?.answer ?? null);
}

import type pg from 'pg';
import { z } from 'zod';
import { GroupCommit, perPool } from '../database/group-commit.ts';
import { parameterRows } from '../database/parameter-rows.ts';
import { query, queryInOrder, type Sql } from '../database/sql.ts';
import { leasedTurn, readClaimed, type LeasedTurn } from './claim-turn.ts';
import { dispatchedTurnSchema, type DispatchedTurn } from './dispatch-turns.ts';

/**
 * `lost_leases` of a turn that was handed over, until a heartbeat confirms that its worker has it. The end of this lease
 * counts as none that was lost, and the hand-over as no attempt: mostly the worker never had the turn.
 */
export const UNCONFIRMED = -1;

/** A turn that was accepted as claimed by a worker. */
export interface HandedTurn {
  turnId: string;
  epoch: number;
  workerId: string;
}

const HANDED = parameterRows<HandedTurn>('given', {
  turn_id: ['text', ({ turnId }) => turnId],
  epoch: ['int', ({ epoch }) => epoch],
  worker_id: ['text', ({ workerId }) => workerId],
});

/** The worker's, unconfirmed. One that was asked to cancel meanwhile is the worker's too: it is to confirm the end. */
const IS_HANDED = `turns.id = given.turn_id AND turns.epoch = given.epoch AND turns.worker_id = given.worker_id
    AND turns.leased_until > now() AND turns.lost_leases = ${UNCONFIRMED}`;

/* As a claim reads its turn, without writing: the statement that stored the turn wrote what a claim writes. */
const READ = {
  name: 'read-handed-turns',
  text: `
WITH given AS MATERIALIZED (SELECT * FROM ${HANDED.from}), turn AS MATERIALIZED (
  SELECT turns.* FROM given JOIN turns ON ${IS_HANDED}
)${readClaimed(`(extract(epoch FROM turn.leased_until - now()) * 1000)::double precision AS "heldMs", `)}`,
};

const heldSchema = z.object({ heldMs: z.number() });

/** Each may return the whole history of its session. */
const MOST_TOGETHER = 16;
const BYTES = 200;

const groupOf = perPool(
  (pool) =>
    new GroupCommit({
      write: (turns: readonly HandedTurn[]) =>
        queryInOrder(
          pool,
          READ,
          HANDED.values(turns),
          turns.map(({ turnId }) => turnId),
        ),
      keyOf: ({ turnId }) => turnId,
      mostItems: MOST_TOGETHER,
    }),
);

/**
 * Reads a turn that was handed to this worker, with others that came meanwhile, and how long its lease lasts from the
 * moment of the call at least. Null where it is not this worker's, or no longer.
 */
export async function readHandedTurn(
  pool: pg.Pool,
  handed: HandedTurn,
): Promise<{ turn: LeasedTurn; heldMs: number } | null> {
  const row = await groupOf(pool).add(handed, BYTES);
  if (row === null) return null;
  return { turn: leasedTurn(row), heldMs: heldSchema.parse(row).heldMs };
}

/*
 * Invariant: only a lease that no heartbeat has confirmed is given back, so whoever calls this knows of no work that was
 * done under it. The turn keeps its slot and its place, and its epoch, which the next claim raises.
 */
const GIVE_BACK = {
  name: 'give-back-turn',
  text: `
UPDATE turns
SET status = 'queued', leased_until = NULL, worker_id = NULL, lost_leases = 0, attempts = turns.attempts - 1, hinted_at = now(), hint = turns.hint + 1
FROM ${HANDED.from}
WHERE ${IS_HANDED} AND turns.status = 'in_progress'
RETURNING turns.id AS "turnId", turns.epoch, turns.hint AS "jobNumber", turns.queue`,
  row: dispatchedTurnSchema,
};

/** Queues a turn that its worker did not get, or has no slot for. Returns its job; null where the turn moved on. */
export async function giveBackTurn(sql: Sql, handed: HandedTurn): Promise<DispatchedTurn | null> {
  const [job] = await query(sql, GIVE_BACK, HANDED.values([handed]));
  return job ?? null;
}

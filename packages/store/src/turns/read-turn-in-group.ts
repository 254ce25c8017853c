import type { Turn } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';
import { GroupCommit, perPool } from '../database/group-commit.ts';
import { queryInOrder } from '../database/sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from './stored-turn.ts';

interface Wanted {
  tenantId: string;
  turnId: string;
}

const READ_MANY = {
  name: 'read-turns',
  text: `SELECT ${TURN_COLUMNS}, turns.tenant_id AS "tenantId" FROM turns WHERE turns.id = ANY ($1)`,
};

const rowSchema = z.object({ ...storedTurnSchema.shape, tenantId: z.string() });

/** Each may have a large output. */
const MOST_TOGETHER = 32;
/** As many as clients may wait in one process: they are all woken when it stops. */
const MOST_WAITING = 20_000;
/** A question is small, however large its answer. */
const BYTES = 100;

const groupOf = perPool(
  (pool) =>
    new GroupCommit({
      write: (wanted: readonly Wanted[]) => {
        const ids = wanted.map(({ turnId }) => turnId);
        return queryInOrder(pool, READ_MANY, [ids], ids);
      },
      keyOf: ({ turnId, tenantId }) => `${turnId} ${tenantId}`,
      mostItems: MOST_TOGETHER,
      mostWaiting: MOST_WAITING,
    }),
);

/**
 * As `readTurn`, in a statement that begins after the call and is shared with other reads that come meanwhile: clients
 * that wait for turns are woken together, and to send a statement costs more than to run it.
 */
export async function readTurnInGroup(pool: pg.Pool, tenantId: string, turnId: string): Promise<Turn | null> {
  const row = await groupOf(pool).add({ tenantId, turnId }, BYTES);
  if (row === null) return null;
  const turn = rowSchema.parse(row);
  return turn.tenantId === tenantId ? asTurn(turn) : null;
}

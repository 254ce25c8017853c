import { turnStatusSchema, type TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { closingTurn } from './close-turn.ts';
import { lockSession, lockSessionOfTurn } from '../sessions/lock-session.ts';
import { inTransaction, query, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES } from './open-statuses.ts';

const cancelledSchema = z.object({ turnId: z.string(), status: turnStatusSchema });
export type CancelledTurn = z.infer<typeof cancelledSchema>;

/** The most turns of one session that one statement cancels. */
const BATCH = 50;

const OPEN = `status IN ${OPEN_STATUSES}`;

/*
 * Always in this order, after the session, so that two transactions that lock turns of a session cannot
 * deadlock.
 */
const lock = (name: string, which: string) => ({
  name,
  text: `SELECT id FROM turns WHERE ${which} AND ${OPEN} ORDER BY sequence FOR UPDATE`,
  row: z.object({ id: z.string() }),
});

const LOCK = lock('lock-open-turn', 'tenant_id = $1 AND id = $2');
const LOCK_OPEN = lock('lock-open-turns', 'tenant_id = $1 AND session_id = $2');

/*
 * Invariant: a turn that no worker holds is cancelled immediately. A turn that a worker holds is only asked
 * to stop; the worker confirms, or the expiry of its lease does. The event count of such a turn stays as it
 * is: it is part of its worker's fence.
 *
 * The turns were locked by an earlier statement. If this statement locked them, a turn that was claimed
 * during the wait would be decided on by its new row and written from its old one (decision 8).
 */
const cancel = (name: string, which: string) => ({
  name,
  text: `
WITH open AS MATERIALIZED (
  SELECT id, sequence,
    CASE WHEN status = ANY ($2) THEN 'cancelled' ELSE 'cancelling' END AS status
  FROM turns WHERE ${which} AND ${OPEN}
  ORDER BY sequence LIMIT ${BATCH}
), asked AS (
  UPDATE turns SET status = 'cancelling' FROM open WHERE turns.id = open.id AND open.status = 'cancelling'
)
SELECT id AS "turnId", sequence, status, ${closingTurn({ when: "status = 'cancelled'" })}
FROM open`,
  row: cancelledSchema.extend({ sequence: z.int() }),
});

const CANCEL = cancel('cancel-turn', 'tenant_id = $1 AND id = $3');
const CANCEL_OPEN = cancel('cancel-open-turns', 'tenant_id = $1 AND session_id = $3 AND sequence > $4');

/**
 * Cancels a turn in any state before its end. Null if it has ended or does not exist. `unheld` are the
 * statuses in which no worker holds a turn.
 */
export function cancelTurn(
  sql: Sql,
  tenantId: string,
  turnId: string,
  unheld: readonly TurnStatus[],
): Promise<CancelledTurn | null> {
  return inTransaction(sql, async (transaction) => {
    // In one round trip. Each statement begins after the one before it has acquired its locks.
    const [, , [turn]] = await Promise.all([
      lockSessionOfTurn(transaction, tenantId, turnId),
      query(transaction, LOCK, [tenantId, turnId]),
      query(transaction, CANCEL, [tenantId, unheld, turnId]),
    ]);
    return turn ?? null;
  });
}

const ROLL_BACK = {
  name: 'roll-back-turns',
  text: `UPDATE turns SET rolled_back = true WHERE id = ANY ($1) RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Cancels every turn of a session that has not ended; with `rollBack`, later turns do not see them. Must run in
 * a transaction: the session stays locked until it ends, so no turn is added in between.
 */
export async function cancelOpenTurns(
  sql: Sql,
  session: { tenantId: string; sessionId: string; rollBack: boolean },
  unheld: readonly TurnStatus[],
): Promise<CancelledTurn[]> {
  const { tenantId, sessionId, rollBack } = session;
  const cancelled: CancelledTurn[] = [];
  await Promise.all([lockSession(sql, tenantId, sessionId), query(sql, LOCK_OPEN, [tenantId, sessionId])]);
  for (let after = 0; ;) {
    const batch = await query(sql, CANCEL_OPEN, [tenantId, unheld, sessionId, after]);
    cancelled.push(...batch);
    if (rollBack) await query(sql, ROLL_BACK, [batch.map((turn) => turn.turnId)]);
    if (batch.length < BATCH) return cancelled;
    after = Math.max(...batch.map((turn) => turn.sequence));
  }
}

import { newId, type CallCost } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** A boolean SQL expression: a budget or a token limit applies to this turn. `turn` is a row of `turns`. */
export const isBudgeted = (turn: string): string => `(
    ${turn}.budget_micros IS NOT NULL
    OR EXISTS (SELECT 1 FROM tenants WHERE tenants.id = ${turn}.tenant_id AND tenants.limits ->> 'tokens_per_minute' IS NOT NULL)
    OR EXISTS (SELECT 1 FROM budgets WHERE budgets.tenant_id = ${turn}.tenant_id)
    OR EXISTS (SELECT 1 FROM sessions WHERE sessions.id = ${turn}.session_id AND sessions.budget_micros IS NOT NULL)
    OR (${turn}.parent_turn_id IS NOT NULL AND EXISTS (
      SELECT 1 FROM turns AS above JOIN sessions ON sessions.id = above.session_id
      WHERE above.id = ANY (${turn}.ancestors)
        AND (above.budget_micros IS NOT NULL OR sessions.budget_micros IS NOT NULL))))`;

/** An event for the day and one for the month. */
export const spendingEventIds = (): string[] => [newId('event'), newId('event')];

const reservationSchema = z.enum(['granted', 'lost', 'wait', 'tokens', 'turn', 'session', 'day', 'month']);
export type Reservation = z.infer<typeof reservationSchema>;

/* The invariant is in packages/store/sql/functions/turnpike_reserve.sql. */
const RESERVE = {
  name: 'reserve-cost',
  text: `SELECT turnpike_reserve($1, $2, $3, $4, $5) AS verdict`,
  row: z.object({ verdict: reservationSchema }),
};

/**
 * Reserves the most that the next model call of a turn may cost, until its step is committed or its lease
 * ends. `wait`: it fits once other calls have finished; `tokens`: it fits in a later minute. A period, `turn`
 * or `session`: that budget is too small for it. `lost`: the lease does not hold.
 */
export async function reserveCost(
  sql: Sql,
  lease: { turnId: string; epoch: number },
  most: CallCost,
): Promise<Reservation> {
  const [reserved] = await query(sql, RESERVE, [
    lease.turnId,
    lease.epoch,
    most.micros,
    most.tokens,
    spendingEventIds(),
  ]);
  return reserved?.verdict ?? 'lost';
}

import { turnStatusSchema, type TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from './sql.ts';

/*
 * Invariant: only a lease that has not ended is renewed. One that has ended stays ended, even
 * if nobody took the turn yet, so that the worker and the reconciler never disagree.
 * In one order, so that two batches never wait for each other in a circle.
 */
const RENEW = {
  name: 'renew-leases',
  text: `
WITH held AS (
  SELECT turns.id FROM turns JOIN unnest($1::text[], $2::int[]) AS lease(id, epoch)
    ON turns.id = lease.id AND turns.epoch = lease.epoch
  WHERE turns.leased_until > now()
  ORDER BY turns.id FOR UPDATE OF turns
)
UPDATE turns SET leased_until = now() + $3::double precision * interval '1 millisecond'
FROM held WHERE turns.id = held.id AND turns.leased_until > now()
RETURNING turns.id, turns.status`,
  row: z.object({ id: z.string(), status: turnStatusSchema }),
};

/** Renews these leases for `leaseMs`, in one round trip. Answers with the status of those that were renewed. */
export async function renewLeases(
  sql: Sql,
  leases: readonly { turnId: string; epoch: number }[],
  leaseMs: number,
): Promise<Map<string, TurnStatus>> {
  const ids = leases.map((lease) => lease.turnId);
  const epochs = leases.map((lease) => lease.epoch);
  const renewed = await query(sql, RENEW, [ids, epochs, leaseMs]);
  return new Map(renewed.map((row) => [row.id, row.status]));
}

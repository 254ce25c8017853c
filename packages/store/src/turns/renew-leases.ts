import { turnStatusSchema, type TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import type { LiveWorker } from './workers.ts';

/*
 * Invariant: only a lease that has not ended is renewed. One that has ended stays ended, even
 * if nobody took the turn yet, so that the worker and the reconciler never disagree.
 *
 * A row that somebody has locked is passed over: a client that froze inside a transaction on one
 * turn must not cost a worker the leases on all the others. Such a lease still holds, and is told
 * apart from one that is lost.
 */
const RENEW = {
  name: 'renew-leases',
  text: `
WITH lease AS (
  SELECT * FROM unnest($1::text[], $2::int[]) AS lease(id, epoch)
), held AS MATERIALIZED (
  SELECT turns.id FROM turns JOIN lease ON turns.id = lease.id AND turns.epoch = lease.epoch
  WHERE turns.leased_until > now()
  ORDER BY turns.id FOR UPDATE OF turns SKIP LOCKED
), renewed AS (
  UPDATE turns SET leased_until = now() + $3::double precision * interval '1 millisecond'
  FROM held WHERE turns.id = held.id AND turns.leased_until > now()
  RETURNING turns.id, turns.status
), worker AS (
  INSERT INTO workers (id, concurrency, seen_at) SELECT $4, $5, now() WHERE $4::text IS NOT NULL
  ON CONFLICT (id) DO UPDATE SET concurrency = excluded.concurrency, seen_at = excluded.seen_at
)
SELECT id, status, true AS renewed FROM renewed
UNION ALL
SELECT turns.id, turns.status, false FROM turns JOIN lease ON turns.id = lease.id AND turns.epoch = lease.epoch
WHERE turns.leased_until > now() AND turns.id NOT IN (SELECT id FROM held)`,
  row: z.object({ id: z.string(), status: turnStatusSchema, renewed: z.boolean() }),
};

/** What became of a lease: `renewed` is false where somebody has its row locked, and it is to be asked for again. */
export interface RenewedLease {
  status: TurnStatus;
  renewed: boolean;
}

/**
 * Renews these leases for `leaseMs`, in one round trip. A lease that is lost is not in the answer. `worker`
 * is noted as alive with it; null for one that takes nothing more.
 */
export async function renewLeases(
  sql: Sql,
  leases: readonly { turnId: string; epoch: number }[],
  leaseMs: number,
  worker: LiveWorker | null = null,
): Promise<Map<string, RenewedLease>> {
  const ids = leases.map((lease) => lease.turnId);
  const epochs = leases.map((lease) => lease.epoch);
  // A connection that hangs must leave time for another try.
  const rows = await query(
    sql,
    RENEW,
    [ids, epochs, leaseMs, worker?.id ?? null, worker?.concurrency ?? null],
    Math.max(1_000, leaseMs / 3),
  );
  return new Map(rows.map(({ id, status, renewed }) => [id, { status, renewed }]));
}

import { turnStatusSchema, type TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { PLAIN } from '../workers/capability.ts';
import type { LiveWorker } from '../workers/workers.ts';

/*
 * Invariant: only a lease that has not expired is renewed. An expired lease stays expired, even if no worker
 * has claimed the turn yet, so worker and reconciler always agree.
 *
 * A locked row is skipped: a client that froze in a transaction on one turn must not cost a worker its other
 * leases. Such a lease still holds, and is reported apart from a lost one.
 *
 * The first renewal confirms a hand-over: `greatest` clears `UNCONFIRMED`.
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
  UPDATE turns SET leased_until = now() + $3::double precision * interval '1 millisecond',
    lost_leases = greatest(turns.lost_leases, 0)
  FROM held WHERE turns.id = held.id AND turns.leased_until > now()
  RETURNING turns.id, turns.status
), worker AS (
  INSERT INTO workers (id, concurrency, pool, queue, code_tools, build, seen_at)
  SELECT $4, $5, $6, $7, $8::text[], $9, now() WHERE $4::text IS NOT NULL
  ON CONFLICT (id) DO UPDATE SET concurrency = excluded.concurrency, pool = excluded.pool, queue = excluded.queue,
    code_tools = excluded.code_tools, build = excluded.build, seen_at = excluded.seen_at
)
SELECT id, status, true AS renewed FROM renewed
UNION ALL
SELECT turns.id, turns.status, false FROM turns JOIN lease ON turns.id = lease.id AND turns.epoch = lease.epoch
WHERE turns.leased_until > now() AND turns.id NOT IN (SELECT id FROM held)`,
  row: z.object({ id: z.string(), status: turnStatusSchema, renewed: z.boolean() }),
};

/** State of a lease. `renewed` is false if its row is locked: it must be renewed again soon. */
export interface RenewedLease {
  status: TurnStatus;
  renewed: boolean;
}

/**
 * Renews these leases for `leaseMs`, in one round trip. A lost lease is not in the result. Also records
 * `worker` as alive; null for a worker that drains.
 */
export async function renewLeases(
  sql: Sql,
  leases: readonly { turnId: string; epoch: number }[],
  leaseMs: number,
  worker: LiveWorker | null = null,
): Promise<Map<string, RenewedLease>> {
  const ids = leases.map((lease) => lease.turnId);
  const epochs = leases.map((lease) => lease.epoch);
  const { pool, queue, codeTools } = worker?.runs ?? PLAIN;
  const announced = [
    worker?.id ?? null,
    worker?.concurrency ?? null,
    pool,
    queue,
    codeTools,
    worker?.build ?? null,
  ];
  // A connection that hangs must leave time for another attempt.
  const rows = await query(sql, RENEW, [ids, epochs, leaseMs, ...announced], Math.max(1_000, leaseMs / 3));
  return new Map(rows.map(({ id, status, renewed }) => [id, { status, renewed }]));
}

import { turnStatusSchema } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';
import { query, transaction } from '../database/sql.ts';
import { hasOpenChild } from './open-child.ts';

const HELD = `id = $1 AND epoch = $2 AND status IN ('in_progress', 'cancelling') AND leased_until > clock_timestamp()`;

const LOCK = {
  name: 'lock-parent-to-park',
  text: `SELECT status FROM turns WHERE ${HELD} FOR NO KEY UPDATE`,
  row: z.object({ status: turnStatusSchema }),
};

/*
 * Invariant: a turn is parked only while a child turn of it is open, and then whoever ends the last one wakes it
 * (wake-parents.ts). Both lock the turn's row first: either this sees that the child has ended, or that one sees that
 * the turn is parked.
 *
 * It is never available by itself. At its deadline it ends, and its child turns with it.
 */
const PARK = {
  name: 'park-parent',
  text: `
UPDATE turns
SET status = 'queued', leased_until = NULL, dispatched_at = NULL, ready_at = now(), available_at = deadline_at,
    waits_for_children = true, model_attempts = 0, error = NULL, outage = NULL
WHERE id = $1 AND epoch = $2 AND status = 'in_progress' AND leased_until > clock_timestamp() AND ${hasOpenChild('turns')}
RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** `ready`: all child turns have ended, so there is nothing to wait for. */
export type ParkOutcome = 'parked' | 'ready' | 'cancelling' | 'lost';

/** Parks a turn until its child turns have ended: it holds no worker and no slot. */
export function parkParent(
  pool: pg.Pool,
  { turnId, epoch }: { turnId: string; epoch: number },
): Promise<ParkOutcome> {
  return transaction(pool, async (sql) => {
    const [[held], parked] = await Promise.all([
      query(sql, LOCK, [turnId, epoch]),
      query(sql, PARK, [turnId, epoch]),
    ]);
    if (held === undefined) return 'lost';
    if (held.status === 'cancelling') return 'cancelling';
    return parked.length > 0 ? 'parked' : 'ready';
  });
}

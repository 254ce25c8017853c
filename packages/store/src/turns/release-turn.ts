import type { Release, TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

/*
 * Invariant: as with every write of a worker, the lease must hold. The turn leaves its place
 * in the queue and keeps its place in the session; the epoch stays, the next claim raises it.
 *
 * A turn that is parked for an outage of the model is not looked at again until a probe of that outage picks it
 * or is answered. Where the outage should be forgotten all the same, it comes back by itself, much later.
 */
const RELEASE = {
  name: 'release-turn',
  text: `
WITH outage AS (
  INSERT INTO outages (tenant_id, id, probe_at)
  SELECT tenant_id, $7::text, now() + $5::double precision * interval '1 millisecond' FROM turns
  WHERE id = $1 AND epoch = $2 AND $7::text IS NOT NULL
  ON CONFLICT (tenant_id, id) DO UPDATE SET probe_at = CASE
    WHEN outages.probe_at > now() THEN outages.probe_at ELSE excluded.probe_at END
)
UPDATE turns
SET status = 'queued', leased_until = NULL, dispatched_at = NULL, ready_at = now(),
    model_attempts = $4, error = $6::jsonb, outage = $7,
    available_at = CASE WHEN $7::text IS NOT NULL THEN now() + interval '15 minutes'
                        WHEN $5::double precision > 0 THEN now() + $5::double precision * interval '1 millisecond' END
WHERE id = $1 AND epoch = $2 AND status = $3 AND leased_until > now()
RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Gives a turn back to the queue, not to be run before `delayMs` have passed, or before its outage lets it. False
 * where the lease is lost.
 */
export async function releaseTurn(
  sql: Sql,
  lease: { turnId: string; epoch: number; from: TurnStatus },
  release: Release,
): Promise<boolean> {
  const { delayMs, modelAttempts, error } = release;
  const values = [
    lease.turnId,
    lease.epoch,
    lease.from,
    modelAttempts,
    delayMs,
    error && json(error),
    release.outage ?? null,
  ];
  const released = await query(sql, RELEASE, values);
  return released.length > 0;
}

import type { Release, TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

/*
 * Invariant: like every write of a worker, this needs the lease. The turn gives up its slot and keeps its
 * position in the session. The epoch stays; the next claim raises it.
 *
 * A turn that is parked for an outage is left alone until a probe of that outage picks it or succeeds. If the
 * outage is lost, the turn becomes available by its own time, much later.
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
 * Releases a turn to the queue. It becomes available after `delayMs`, or when its outage lets it run. False
 * if the lease is lost.
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

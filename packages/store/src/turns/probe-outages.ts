import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const tenantRow = z.object({ tenantId: z.string() });

/** Makes the turns in `next` available again. They keep their position among their tenant's turns. */
const LET_RUN = `
UPDATE turns SET available_at = NULL
FROM next WHERE turns.id = next.id AND turns.status = 'queued' AND turns.available_at IS NOT NULL
RETURNING turns.tenant_id AS "tenantId"`;

/*
 * Invariant: parked turns cost nothing while the model is out. Each outage lets one of its turns run from
 * time to time as a probe. The statement that does so also sets the time of the next probe, so only one of
 * any number of processes does it.
 *
 * An outage that no turn waits for is deleted. A release that parks a turn moves the outage's next probe,
 * which is checked again when the row is locked: an outage with a newly parked turn is kept.
 */
const PROBE = {
  name: 'probe-outages',
  text: `
WITH due AS MATERIALIZED (
  SELECT tenant_id, id FROM outages WHERE probe_at <= now() ORDER BY probe_at LIMIT $1 FOR UPDATE SKIP LOCKED
), awaited AS MATERIALIZED (
  SELECT due.*, EXISTS (
    SELECT 1 FROM turns
    WHERE turns.tenant_id = due.tenant_id AND turns.outage = due.id AND turns.status = 'queued'
      AND turns.available_at IS NOT NULL
  ) AS is_awaited FROM due
), put_off AS (
  UPDATE outages SET probe_at = now() + $2::double precision * (0.75 + random() / 2) * interval '1 millisecond'
  FROM awaited WHERE outages.tenant_id = awaited.tenant_id AND outages.id = awaited.id AND awaited.is_awaited
), over AS (
  DELETE FROM outages USING awaited
  WHERE outages.tenant_id = awaited.tenant_id AND outages.id = awaited.id AND NOT awaited.is_awaited
), next AS MATERIALIZED (
  SELECT parked.id FROM awaited CROSS JOIN LATERAL (
    SELECT turns.id FROM turns
    WHERE turns.tenant_id = awaited.tenant_id AND turns.outage = awaited.id AND turns.status = 'queued'
      AND turns.available_at IS NOT NULL
    ORDER BY turns.available_at LIMIT 1 FOR UPDATE SKIP LOCKED
  ) AS parked
)${LET_RUN}`,
  row: tenantRow,
};

/** Lets one turn run for each outage whose probe is due, for up to `limit` outages. Returns their tenants. */
export async function probeOutages(sql: Sql, limit: number, everyMs: number): Promise<string[]> {
  const probes = await query(sql, PROBE, [limit, everyMs]);
  return probes.map((probe) => probe.tenantId);
}

const END = {
  name: 'end-outage',
  text: `
WITH next AS MATERIALIZED (
  SELECT turns.id FROM turns
  WHERE turns.tenant_id = $1 AND turns.outage = $2 AND turns.status = 'queued' AND turns.available_at IS NOT NULL
  ORDER BY turns.available_at LIMIT $3 FOR UPDATE SKIP LOCKED
)${LET_RUN}`,
  row: tenantRow,
};

/**
 * Lets up to `limit` parked turns run after the model responded, and returns how many. Each of them that gets
 * a response lets the next ones run, so the model is not hit by all of them at once.
 */
export async function endOutage(
  sql: Sql,
  outage: { tenantId: string; id: string },
  limit: number,
): Promise<number> {
  return (await query(sql, END, [outage.tenantId, outage.id, limit])).length;
}

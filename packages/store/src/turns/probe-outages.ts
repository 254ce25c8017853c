import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const tenantRow = z.object({ tenantId: z.string() });

/** Lets turns of the rows `next` run: in the line of their tenant they stand where they stood. */
const LET_RUN = `
UPDATE turns SET available_at = NULL
FROM next WHERE turns.id = next.id AND turns.status = 'queued' AND turns.available_at IS NOT NULL
RETURNING turns.tenant_id AS "tenantId"`;

/*
 * Invariant: while the model is away, turns that wait for it cost nothing; each outage lets one of them run every
 * so often, and that one finds out. An outage that lets one run is put off by the same statement, so of any
 * number of processes one does it.
 *
 * An outage that nobody waits for is forgotten. A release that parks a turn makes its outage due later, and that is
 * looked at again once the row is locked: a turn that was parked meanwhile keeps its outage.
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
), forgotten AS (
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

/** Lets one turn run of each outage whose time has come, of `limit` outages; whose they are. */
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
 * The model answers again: lets up to `limit` turns run that wait for it; how many there were. Each that is
 * answered is to bring the next ones, so that whoever was away is not met by all of them at once.
 */
export async function endOutage(
  sql: Sql,
  outage: { tenantId: string; id: string },
  limit: number,
): Promise<number> {
  return (await query(sql, END, [outage.tenantId, outage.id, limit])).length;
}

import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Each column is one look-up in the index that the statement of its stage uses, and has the same condition or a wider
 * one: it may say that there is work where there is none, and never the other way round.
 */
const LOOK = {
  name: 'look-for-deliveries',
  text: `
SELECT
  EXISTS (SELECT 1 FROM webhook_receivers WHERE try_at <= now()) AS waiting,
  EXISTS (SELECT 1 FROM deliveries WHERE fresh AND status IN ('pending', 'failed') AND hinted_at IS NULL) AS fresh,
  EXISTS (SELECT 1 FROM deliveries WHERE status IN ('pending', 'failed')
          AND hinted_at < now() - $1::double precision * interval '1 millisecond') AS unchecked,
  EXISTS (SELECT 1 FROM webhook_endpoints CROSS JOIN LATERAL (
            SELECT 1 FROM deliveries WHERE lane = webhook_endpoints.id AND status IN ('pending', 'failed') LIMIT 1
          ) AS found WHERE NOT webhook_endpoints.enabled) AS undeliverable,
  EXISTS (SELECT 1 FROM deliveries WHERE status IN ('pending', 'failed')
          AND next_attempt_at < now() - $2::double precision * interval '1 millisecond') AS expired`,
  row: z.object({
    waiting: z.boolean(),
    fresh: z.boolean(),
    unchecked: z.boolean(),
    undeliverable: z.boolean(),
    expired: z.boolean(),
  }),
};
export type DeliveriesFound = z.infer<typeof LOOK.row>;

/**
 * What a pass over the deliveries has to do, in one look. `jobAgeMs`: how old a job is before it is checked.
 * `giveUpAfterMs`: how long a delivery may be due.
 */
export async function lookForDeliveries(
  sql: Sql,
  settings: { jobAgeMs: number; giveUpAfterMs: number },
): Promise<DeliveriesFound> {
  const [found] = await query(sql, LOOK, [settings.jobAgeMs, settings.giveUpAfterMs]);
  if (found === undefined) throw new Error('A statement that returns one row returned none.');
  return found;
}

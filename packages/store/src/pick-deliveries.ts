import { z } from 'zod';
import { query, type Sql } from './sql.ts';

const hintSchema = z.object({ deliveryId: z.string(), hint: z.int() });
export type PickedDelivery = z.infer<typeof hintSchema>;

const pickedSchema = z.object({
  picked: z.array(hintSchema),
  lanes: z.int(),
  lastLane: z.string().nullable(),
});

/*
 * Invariant: a lane has no more in the queue and on its way than its window (two that pick at the very same
 * moment may each fill it), however much of it is due: ten thousand deliveries to an endpoint that is dead
 * keep nobody else's waiting. So lanes are walked by the index, one look-up each, and not deliveries.
 */
const PICK = {
  name: 'pick-deliveries',
  text: `
WITH RECURSIVE walk AS (
  (SELECT lane FROM deliveries
   WHERE status IN ('pending', 'failed') AND hinted_at IS NULL AND lane > $1 ORDER BY lane LIMIT 1)
  UNION ALL
  SELECT (SELECT deliveries.lane FROM deliveries
          WHERE status IN ('pending', 'failed') AND hinted_at IS NULL AND deliveries.lane > walk.lane
          ORDER BY deliveries.lane LIMIT 1)
  FROM walk WHERE walk.lane IS NOT NULL
), lanes AS MATERIALIZED (
  SELECT lane FROM walk WHERE lane IS NOT NULL LIMIT $2
), picked AS MATERIALIZED (
  SELECT due.id FROM lanes CROSS JOIN LATERAL (
    SELECT id FROM deliveries
    WHERE lane = lanes.lane AND status IN ('pending', 'failed') AND hinted_at IS NULL AND next_attempt_at <= now()
    ORDER BY next_attempt_at
    LIMIT greatest(0, $3::int - (SELECT count(*) FROM deliveries AS window_of
                                 WHERE window_of.lane = lanes.lane AND window_of.status IN ('pending', 'failed')
                                   AND window_of.hinted_at IS NOT NULL))
    FOR UPDATE SKIP LOCKED
  ) AS due
), hinted AS (
  UPDATE deliveries SET hinted_at = now(), hint = deliveries.hint + 1
  -- As a list: joined, a planner that expects more of them would read the whole table.
  WHERE deliveries.id = ANY (ARRAY(SELECT id FROM picked))
  RETURNING deliveries.id AS "deliveryId", deliveries.hint
)
SELECT (SELECT coalesce(json_agg(json_build_object('deliveryId', "deliveryId", 'hint', hint)), '[]') FROM hinted) AS picked,
  (SELECT count(*)::int FROM lanes) AS lanes, (SELECT max(lane) FROM lanes) AS "lastLane"`,
  row: pickedSchema,
};

/**
 * Marks what is due in up to `lanes` lanes after the lane `after`, at most `window` of each lane, as hinted.
 * `next` is the lane to go on after; null where there are no more.
 */
export async function pickDueDeliveries(
  sql: Sql,
  settings: { after: string; lanes: number; window: number },
): Promise<{ picked: PickedDelivery[]; next: string | null }> {
  const [answer] = await query(sql, PICK, [settings.after, settings.lanes, settings.window]);
  if (answer === undefined) throw new Error('A select without a table returned no row.');
  return { picked: answer.picked, next: answer.lanes < settings.lanes ? null : answer.lastLane };
}

/* Longest unchecked first, and checked ones go to the end of the line: no delivery is passed over for ever. */
const TAKE_UNCHECKED = {
  name: 'take-unchecked-deliveries',
  text: `
UPDATE deliveries SET hinted_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM deliveries
  WHERE status IN ('pending', 'failed') AND hinted_at < now() - $2::double precision * interval '1 millisecond'
    AND (claimed_until IS NULL OR claimed_until <= now())
  ORDER BY hinted_at LIMIT $1 FOR UPDATE SKIP LOCKED
))
RETURNING id AS "deliveryId", hint`,
  row: hintSchema,
};

/** Up to `limit` hints that nobody works on, and nobody checked for `olderThanMs`. */
export function takeUncheckedDeliveries(
  sql: Sql,
  settings: { limit: number; olderThanMs: number },
): Promise<PickedDelivery[]> {
  return query(sql, TAKE_UNCHECKED, [settings.limit, settings.olderThanMs]);
}

const RAISE = {
  name: 'raise-delivery-hints',
  text: `
UPDATE deliveries SET hint = deliveries.hint + 1
FROM unnest($1::text[], $2::int[]) AS lost(id, hint)
WHERE deliveries.id = lost.id AND deliveries.hint = lost.hint
  AND deliveries.status IN ('pending', 'failed') AND deliveries.hinted_at IS NOT NULL
RETURNING deliveries.id AS "deliveryId", deliveries.hint`,
  row: hintSchema,
};

/** New numbers for hints that were lost, so that they are new jobs whatever became of the old ones. */
export function raiseDeliveryHints(sql: Sql, hints: readonly PickedDelivery[]): Promise<PickedDelivery[]> {
  return query(sql, RAISE, [hints.map((hint) => hint.deliveryId), hints.map((hint) => hint.hint)]);
}

const BACKLOG = {
  name: 'delivery-backlog',
  text: `
SELECT count(*)::int AS due, coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0)::double precision AS "oldestSeconds"
FROM (SELECT next_attempt_at FROM deliveries
      WHERE status IN ('pending', 'failed') AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT 100000) AS due`,
  row: z.object({ due: z.int(), oldestSeconds: z.number() }),
};

/** How many deliveries are due (counted up to 100,000), and how long the oldest of them waits. */
export async function readDeliveryBacklog(sql: Sql): Promise<{ due: number; oldestSeconds: number }> {
  const [backlog] = await query(sql, BACKLOG, []);
  return backlog ?? { due: 0, oldestSeconds: 0 };
}

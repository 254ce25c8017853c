import { z } from 'zod';
import { query, type Sql } from './sql.ts';

const hintSchema = z.object({ turnId: z.string(), epoch: z.int(), hint: z.int() });

/* Longest unchecked first, and checked ones go to the end of the line: no turn is passed over for ever. */
const TAKE_UNCHECKED = {
  name: 'take-unchecked-hints',
  text: `
UPDATE turns SET hinted_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM turns
  WHERE status = 'queued' AND dispatched_at IS NOT NULL
    AND hinted_at < now() - $2::double precision * interval '1 millisecond'
  ORDER BY hinted_at LIMIT $1 FOR UPDATE SKIP LOCKED
))
RETURNING id AS "turnId", epoch, hint`,
  row: hintSchema,
};

/** Up to `limit` hints that no worker took up and nobody checked for `olderThanMs`. */
export function takeUncheckedHints(
  sql: Sql,
  settings: { limit: number; olderThanMs: number },
): Promise<z.infer<typeof hintSchema>[]> {
  return query(sql, TAKE_UNCHECKED, [settings.limit, settings.olderThanMs]);
}

const RAISE = {
  name: 'raise-hints',
  text: `
UPDATE turns SET hint = turns.hint + 1
FROM unnest($1::text[], $2::int[], $3::int[]) AS lost(id, epoch, hint)
WHERE turns.id = lost.id AND turns.epoch = lost.epoch AND turns.hint = lost.hint
  AND turns.status = 'queued' AND turns.dispatched_at IS NOT NULL
RETURNING turns.id AS "turnId", turns.epoch, turns.hint`,
  row: hintSchema,
};

/** New numbers for hints that were lost, so that they are new jobs whatever became of the old ones. */
export function raiseHints(
  sql: Sql,
  hints: readonly z.infer<typeof hintSchema>[],
): Promise<z.infer<typeof hintSchema>[]> {
  const ids = hints.map((hint) => hint.turnId);
  const epochs = hints.map((hint) => hint.epoch);
  const numbers = hints.map((hint) => hint.hint);
  return query(sql, RAISE, [ids, epochs, numbers]);
}

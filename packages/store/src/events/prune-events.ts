import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Invariant: what is no longer kept is said in the turn's row, in the statement that deletes it, so a
 * client with an old cursor is told and never shown a log with a hole. The last event stays, with the
 * turn itself: whoever comes late still learns how it ended. The row's lock keeps two passes apart.
 */
const CUT = {
  name: 'cut-events',
  text: `
WITH old AS MATERIALIZED (
  SELECT id, event_count FROM turns
  WHERE events_cut = 0 AND finished_at < now() - $1::double precision * interval '1 day'
  ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
), deleted AS (
  DELETE FROM events USING old WHERE events.turn_id = old.id AND events.sequence_number < old.event_count
)
UPDATE turns SET events_cut = old.event_count - 1 FROM old WHERE turns.id = old.id
RETURNING turns.id`,
  row: z.object({ id: z.string() }),
};

/** Deletes the events, all but the last, of up to `limit` turns that ended so many days ago; returns how many turns. */
export async function pruneEvents(sql: Sql, keptDays: number, limit: number): Promise<number> {
  const cut = await query(sql, CUT, [keptDays, limit]);
  return cut.length;
}

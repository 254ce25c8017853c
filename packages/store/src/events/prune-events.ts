import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Invariant: the statement that deletes events records it in the turn's row, so a client with an old cursor
 * gets an error and never a log with a gap. The last event stays as long as the turn, so a late client still
 * learns how it ended. The row lock keeps two passes apart.
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

/**
 * Deletes all events but the last of up to `limit` turns that ended that many days ago. Returns how many
 * turns.
 */
export async function pruneEvents(sql: Sql, keptDays: number, limit: number): Promise<number> {
  const cut = await query(sql, CUT, [keptDays, limit]);
  return cut.length;
}

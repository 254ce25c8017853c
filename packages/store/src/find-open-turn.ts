import { z } from 'zod';
import { query, type Sql } from './sql.ts';

const OLDEST_OPEN = {
  name: 'find-open-turn',
  text: `
SELECT id FROM turns
WHERE tenant_id = $1 AND session_id = $2 AND status IN ('queued', 'in_progress', 'requires_action', 'cancelling')
ORDER BY sequence LIMIT 1`,
  row: z.object({ id: z.string() }),
};

/** The turn of a session that comes first, of those that have not ended; null where there is none. */
export async function findOpenTurn(sql: Sql, tenantId: string, sessionId: string): Promise<string | null> {
  const [turn] = await query(sql, OLDEST_OPEN, [tenantId, sessionId]);
  return turn?.id ?? null;
}

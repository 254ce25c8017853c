import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { lockSessionOfTurn } from '../sessions/lock-session.ts';
import { query, type Sql } from '../database/sql.ts';

const stoppedSchema = z.object({
  sessionId: z.string(),
  status: turnStatusSchema,
  isNewest: z.boolean(),
  isRolledBack: z.boolean(),
  /** The role of the session's last message; null if it has none. */
  lastRole: z.enum(['user', 'assistant']).nullable(),
  /** The last message is partial: the model was stopped while it wrote it. */
  isPartial: z.boolean(),
});
export type StoppedTurn = z.infer<typeof stoppedSchema>;

const READ = {
  name: 'read-stopped-turn',
  text: `
SELECT turns.session_id AS "sessionId", turns.status, turns.rolled_back AS "isRolledBack",
  turns.sequence = sessions.last_sequence AS "isNewest",
  last.role AS "lastRole", coalesce(last.partial, false) AS "isPartial"
FROM turns JOIN sessions ON sessions.id = turns.session_id LEFT JOIN LATERAL (
  SELECT messages.role, messages.partial FROM messages WHERE messages.session_id = turns.session_id
    AND NOT EXISTS (SELECT 1 FROM turns AS hidden
                    WHERE hidden.session_id = turns.session_id AND hidden.rolled_back
                      AND hidden.sequence = messages.turn_sequence)
  ORDER BY messages.turn_sequence DESC, messages.index DESC LIMIT 1
) AS last ON true
WHERE turns.id = $1`,
  row: stoppedSchema,
};

/**
 * Reads what decides whether another turn can resume this one. Its session stays locked until the transaction
 * ends. Null if there is no such turn.
 */
export async function lockStoppedTurn(
  sql: Sql,
  tenantId: string,
  turnId: string,
): Promise<StoppedTurn | null> {
  if (!(await lockSessionOfTurn(sql, tenantId, turnId))) return null;
  const [turn] = await query(sql, READ, [turnId]);
  return turn ?? null;
}

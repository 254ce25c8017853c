import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES } from './open-statuses.ts';

const refusalSchema = z.object({
  isAgentDeleted: z.boolean(),
  /** The first turn of the session that has not ended. */
  openTurnId: z.string().nullable(),
});

const READ = {
  name: 'find-refusal',
  text: `
SELECT agents.id IS NULL AS "isAgentDeleted",
  (SELECT turns.id FROM turns
   WHERE turns.session_id = sessions.id AND turns.status IN ${OPEN_STATUSES}
   ORDER BY turns.sequence LIMIT 1) AS "openTurnId"
FROM sessions LEFT JOIN agents ON agents.id = sessions.agent_id AND agents.deleted_at IS NULL
WHERE sessions.id = $2 AND sessions.tenant_id = $1`,
  row: refusalSchema,
};

/** Why a session accepted no turn, by its state now. Null if there is no such session. */
export async function findRefusal(
  sql: Sql,
  tenantId: string,
  sessionId: string,
): Promise<z.infer<typeof refusalSchema> | null> {
  const [refusal] = await query(sql, READ, [tenantId, sessionId]);
  return refusal ?? null;
}

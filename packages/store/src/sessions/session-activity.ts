import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES } from '../turns/open-statuses.ts';
import { usageOf } from '../turns/stored-usage.ts';

const activityRow = z
  .object({
    id: z.string(),
    status: turnStatusSchema.nullable(),
    changedAt: z.date().nullable(),
    inputTokens: z.coerce.number(),
    outputTokens: z.coerce.number(),
    cacheCreationInputTokens: z.coerce.number(),
    cacheReadInputTokens: z.coerce.number(),
    costMicros: z.coerce.number(),
  })
  .transform(({ id, status, changedAt, costMicros, ...usage }) => ({
    sessionId: id,
    /** Of the first turn that has not ended; null where all have. */
    status,
    changedAt: changedAt?.toISOString() ?? null,
    usage: usageOf(usage),
    costMicros,
  }));
export type SessionActivity = z.infer<typeof activityRow>;

const READ = {
  name: 'read-session-activity',
  text: `
SELECT sessions.id, first.status, work.*
FROM sessions
LEFT JOIN LATERAL (
  SELECT status FROM turns WHERE session_id = sessions.id
    AND status IN ${OPEN_STATUSES}
  ORDER BY sequence LIMIT 1
) AS first ON true
LEFT JOIN LATERAL (
  SELECT max(coalesce(finished_at, started_at, created_at)) AS "changedAt",
    coalesce(sum(input_tokens), 0) AS "inputTokens", coalesce(sum(output_tokens), 0) AS "outputTokens",
    coalesce(sum(cache_creation_input_tokens), 0) AS "cacheCreationInputTokens",
    coalesce(sum(cache_read_input_tokens), 0) AS "cacheReadInputTokens", coalesce(sum(cost_micros), 0) AS "costMicros"
  FROM turns WHERE session_id = sessions.id
) AS work ON true
WHERE sessions.tenant_id = $1 AND sessions.id = ANY ($2)`,
  row: activityRow,
};

/** What the turns of these sessions have done, of those that the tenant has. */
export function readSessionActivity(
  sql: Sql,
  tenantId: string,
  sessionIds: readonly string[],
): Promise<SessionActivity[]> {
  return query(sql, READ, [tenantId, sessionIds]);
}

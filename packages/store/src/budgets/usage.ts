import type { UsageGroup, UsageItem } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { usageOf } from '../turns/stored-usage.ts';

const count = z.coerce.number().int();

/*
 * From the ledger, which is written in the commit of each step and outlives its session: the sum of all steps
 * and of interrupted calls, also of erased sessions.
 */
const USAGE = {
  name: 'read-usage',
  text: `
SELECT
  CASE WHEN 'day' = ANY ($4) THEN (spent_at AT TIME ZONE 'UTC')::date::text END AS day,
  CASE WHEN 'agent' = ANY ($4) THEN agent_id END AS "agentId",
  CASE WHEN 'model' = ANY ($4) THEN model END AS model,
  count(DISTINCT turn_id) AS turns, count(*) AS "modelCalls",
  coalesce(sum(input_tokens), 0) AS "inputTokens", coalesce(sum(output_tokens), 0) AS "outputTokens",
  coalesce(sum(cache_creation_input_tokens), 0) AS "cacheCreationInputTokens",
  coalesce(sum(cache_read_input_tokens), 0) AS "cacheReadInputTokens",
  coalesce(sum(cost_micros), 0) AS "costMicros"
FROM ledger_entries
WHERE tenant_id = $1
  AND spent_at >= $2::date::timestamp AT TIME ZONE 'UTC'
  AND spent_at < ($3::date + 1)::timestamp AT TIME ZONE 'UTC'
  AND ($5::text IS NULL OR agent_id = $5) AND ($6::text IS NULL OR model = $6)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT $7`,
  row: z
    .object({
      day: z.string().nullable(),
      agentId: z.string().nullable(),
      model: z.string().nullable(),
      turns: count,
      modelCalls: count,
      inputTokens: count,
      outputTokens: count,
      cacheCreationInputTokens: count,
      cacheReadInputTokens: count,
      costMicros: count,
    })
    .transform((row): UsageItem => ({
      day: row.day,
      agent_id: row.agentId,
      model: row.model,
      turns: row.turns,
      model_calls: row.modelCalls,
      usage: usageOf(row),
      cost_micros: row.costMicros,
    })),
};

/** Days in UTC, `from` and `to` included, as `YYYY-MM-DD`. */
export interface UsageRange {
  from: string;
  to: string;
  agentId?: string | undefined;
  model?: string | undefined;
}

/** A tenant's usage by these groups, at most `limit` rows. Without a group: one row, or none. */
export function readUsage(
  sql: Sql,
  tenantId: string,
  range: UsageRange,
  groups: readonly UsageGroup[],
  limit: number,
): Promise<UsageItem[]> {
  const { from, to, agentId, model } = range;
  return query(sql, USAGE, [tenantId, from, to, groups, agentId ?? null, model ?? null, limit]);
}

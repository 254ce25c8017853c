import type { AgentTool } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

/** What an agent names among its tools, as it stands in the configuration. */
export type NamedByAgents =
  | Pick<Extract<AgentTool, { type: 'http' }>, 'type' | 'name'>
  | Pick<Extract<AgentTool, { type: 'mcp' }>, 'type' | 'server'>;

const FIND_USERS = {
  name: 'find-users-of-tool',
  text: `
SELECT agents.id, count(*) OVER ()::int AS count
FROM agents JOIN agent_versions AS newest ON newest.agent_id = agents.id AND newest.version = agents.version
WHERE agents.tenant_id = $1 AND agents.deleted_at IS NULL
  AND newest.config -> 'tools' @> jsonb_build_array($2::jsonb)
ORDER BY agents.id LIMIT $3`,
  row: z.object({ id: z.string(), count: z.int() }),
};

/** How many agents name this HTTP tool or MCP server in their newest version, and the first `limit` of them. */
export async function findUsers(
  sql: Sql,
  tenantId: string,
  named: NamedByAgents,
  limit: number,
): Promise<{ agentIds: string[]; count: number }> {
  const rows = await query(sql, FIND_USERS, [tenantId, json(named), limit]);
  return { agentIds: rows.map(({ id }) => id), count: rows[0]?.count ?? 0 };
}

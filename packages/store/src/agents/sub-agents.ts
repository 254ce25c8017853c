import { agentConfigSchema, effectSchema, type SubAgentStore } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { query } from '../database/sql.ts';

const READ = {
  name: 'read-sub-agent',
  text: `
SELECT versions.config -> 'tools' AS tools, (
  SELECT coalesce(json_object_agg(tools.name, tools.config ->> 'effect'), '{}')
  FROM jsonb_array_elements(versions.config -> 'tools') AS given(tool)
  JOIN tools ON tools.tenant_id = agents.tenant_id AND tools.name = given.tool ->> 'name'
  WHERE given.tool ->> 'type' = 'http') AS "httpEffects"
FROM agents JOIN agent_versions AS versions ON versions.agent_id = agents.id AND versions.version = agents.version
WHERE agents.id = $1 AND agents.tenant_id = $2 AND agents.deleted_at IS NULL`,
  row: z.object({ tools: agentConfigSchema.shape.tools, httpEffects: z.record(z.string(), effectSchema) }),
};

/** What agents that are called as tools may do, by their newest versions. */
export function createSubAgentStore(database: Database): SubAgentStore {
  return {
    async read(tenantId, agentId) {
      const [agent] = await query(database.pool, READ, [agentId, tenantId]);
      return agent ?? null;
    },
  };
}

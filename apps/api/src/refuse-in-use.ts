import { ProblemError } from '@turnpike/contract';
import { findUsers, type NamedByAgents } from '@turnpike/store';
import type { Call } from './route.ts';

/** How many agents an error names at most. */
const MOST_NAMED = 20;

/**
 * The number of agents whose newest version names this tool or server. Throws `tool_in_use` or `mcp_server_in_use`
 * where there are some, unless it is to be deleted anyway.
 */
export async function refuseInUse(
  { sql, tenantId }: Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId'>,
  named: NamedByAgents,
  force: boolean,
): Promise<number> {
  const { agentIds, count } = await findUsers(sql, tenantId, named, MOST_NAMED);
  if (count === 0 || force) return count;
  const more = count > agentIds.length ? ` and ${count - agentIds.length} more` : '';
  const [code, name] =
    named.type === 'mcp'
      ? (['mcp_server_in_use', named.server] as const)
      : (['tool_in_use', named.name] as const);
  throw new ProblemError(
    code,
    `${name} is used by ${agentIds.join(', ')}${more}: remove it from them, or delete it with force=true.`,
    { agentIds },
  );
}

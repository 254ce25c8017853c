import { forbiddenOverrides, overrideAgent, overriddenFields, ProblemError } from '@turnpike/contract';
import { agentOfSession, readAgent, type Sql } from '@turnpike/store';
import type { RequestedTurn } from '@turnpike/turns';
import { configOf, newIssues } from './change-agent.ts';
import { checkBetas, checkNames, checkSchemas } from './check-agent.ts';
import type { Call, Services } from './route.ts';
import { throwIssues } from './throw-issues.ts';

/**
 * A turn with overrides is held against what its agent allows, and against the rules of agents. Returns the version
 * that it was checked with, so that it runs with no other. Null for a turn without overrides, and for one whose session
 * or agent does not exist: it is refused later, like any other.
 * Throws `ProblemError`: `override_not_allowed`, `invalid_request`.
 */
export async function checkOverrides(
  asker: Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'may'>,
  { inputSchemas, modelBetas }: Pick<Services, 'inputSchemas' | 'modelBetas'>,
  requested: RequestedTurn,
): Promise<number | null> {
  const { overrides, agent_version: version } = requested.submission;
  if (overrides === undefined || overriddenFields(overrides).length === 0) return null;
  const { sql, tenantId } = asker;
  const agentId = await agentIdOf(sql, tenantId, requested);
  const agent = agentId === null ? null : await readAgent(sql, tenantId, agentId, version);
  if (agent === null) {
    // The version may come to be before the turn is stored, unchecked.
    if (version !== undefined)
      throwIssues([{ path: 'agent_version', message: 'the agent has no such version' }]);
    return null;
  }
  const config = configOf(agent);
  const overridden = overrideAgent(config, overrides);
  const forbidden = forbiddenOverrides(config, overrides, overridden);
  if (forbidden.length > 0) {
    const detail = `Version ${agent.version} of ${agent.id} does not allow what the turn overrides.`;
    throw new ProblemError('override_not_allowed', detail, { issues: forbidden });
  }
  await underOverrides(async () => {
    throwIssues(newIssues(config, overridden, overrides));
    checkBetas(modelBetas, overrides);
    await checkSchemas(inputSchemas, tenantId, overrides);
    const { tools } = overrides;
    if (tools !== undefined) await checkNames(asker, { tools, pool: config.pool });
  });
  return agent.version;
}

async function agentIdOf(sql: Sql, tenantId: string, requested: RequestedTurn): Promise<string | null> {
  if (requested.of === 'new_session') return requested.submission.agent_id;
  if (requested.of === 'session') return agentOfSession(sql, tenantId, { sessionId: requested.sessionId });
  const turnId = requested.of === 'fork' ? requested.after.turnId : requested.turnId;
  return agentOfSession(sql, tenantId, { turnId });
}

/** What is wrong with the configuration is said of the overrides: they can also reset what the agent has. */
async function underOverrides(check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof ProblemError) || error.issues === undefined) throw error;
    const issues = error.issues.map(({ path, message }) => ({ path: `overrides.${path}`, message }));
    throw new ProblemError(error.code, error.message, { issues });
  }
}

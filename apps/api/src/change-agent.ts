import { isDeepStrictEqual } from 'node:util';
import {
  agentConfigIssues,
  agentConfigSchema,
  changeAgentConfig,
  DEFAULT_POOL,
  newId,
  ProblemError,
  type Agent,
  type AgentConfig,
  type CreateAgent,
  type UpdateAgent,
  type ValidationIssue,
} from '@turnpike/contract';
import { addAgentVersion, insertAgent, lockAgent, readAgent, type AgentContents } from '@turnpike/store';
import { z } from 'zod';
import { checkNames } from './check-agent.ts';
import { checkCount, checkVersionCount } from './check-count.ts';
import type { Call } from './route.ts';
import { throwIssues } from './throw-issues.ts';

type Asker = Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'limits' | 'may'>;
type Contents = Pick<AgentContents, 'name' | 'metadata' | 'config'>;

export const noAgent = (id: string): ProblemError =>
  new ProblemError('not_found', `There is no agent ${id}.`);

export const noVersion = (id: string, version: number): ProblemError =>
  new ProblemError('not_found', `There is no version ${version} of ${id}.`);

/** The fields that a version of an agent keeps: all but its name and its metadata. */
export const configOf = (agent: AgentConfig): AgentConfig => configSchema.parse(agent);
/** Picks these fields of an agent or of a body. */
const configSchema = z.object(agentConfigSchema.shape);

/**
 * Makes an agent, at version 1. `sql` is in a transaction. Its schemas and betas were checked before.
 * Throws `ProblemError`: `agent_limit`, `insufficient_scope`, `invalid_request`.
 */
export async function createAgent(
  asker: Asker,
  { name, metadata = {}, ...config }: CreateAgent,
): Promise<Agent> {
  const { sql, tenantId } = asker;
  await checkCount(sql, asker, 'agents');
  await checkNames(asker, config);
  return insertAgent(sql, { id: newId('agent'), tenantId, name, metadata, config: configOf(config) });
}

/**
 * Changes the given fields of an agent, and adds a version where the result differs from the newest one. `sql` is in
 * a transaction: of two concurrent changes, the second one sees the first.
 * Throws `ProblemError`: `not_found`, `agent_changed`, `agent_version_limit`, `insufficient_scope`, `invalid_request`.
 */
export async function updateAgent(asker: Asker, id: string, change: UpdateAgent): Promise<Agent> {
  const { sql, tenantId } = asker;
  const agent = await lockAgent(sql, tenantId, id);
  if (agent === null) throw noAgent(id);
  const { if_version: expected = agent.version } = change;
  if (expected !== agent.version) {
    throw new ProblemError('agent_changed', `${id} is at version ${agent.version}, not ${expected}.`);
  }
  const before = configOf(agent);
  const config = changeAgentConfig(before, change);
  throwIssues(newIssues(before, config, change));
  const isMoved = config.pool !== before.pool;
  const named = isMoved ? config.tools : (change.tools ?? []);
  // A pool that stays may have had no worker for long.
  const pool = isMoved || named.length > 0 ? config.pool : DEFAULT_POOL;
  await checkNames(asker, { tools: named, pool, model_keys: newKeys(config, before) });
  const metadata = change.metadata === undefined ? agent.metadata : (change.metadata ?? {});
  return addVersion(asker, agent, { name: change.name ?? agent.name, metadata, config });
}

/** Stored fields may be older than a rule: they do not prevent a change of other fields. */
export function newIssues(before: AgentConfig, after: AgentConfig, change: object): ValidationIssue[] {
  const known = new Set(agentConfigIssues(before).map(({ path }) => path));
  return agentConfigIssues(after).filter(
    ({ path }) => !known.has(path) || (path.split('.')[0] ?? '') in change,
  );
}

/**
 * Restores an earlier version of an agent, as a new version. `sql` is in a transaction.
 * Throws `ProblemError`: `not_found`, `agent_version_limit`, `insufficient_scope`, and `invalid_request` where that version names a tool or a secret that was deleted.
 */
export async function restoreAgent(asker: Asker, id: string, version: number): Promise<Agent> {
  const { sql, tenantId } = asker;
  const agent = await lockAgent(sql, tenantId, id);
  if (agent === null) throw noAgent(id);
  const earlier = await readAgent(sql, tenantId, id, version);
  if (earlier === null) throw noVersion(id, version);
  await checkNames(asker, { tools: earlier.tools, pool: earlier.pool, model_keys: newKeys(earlier, agent) });
  const { name, metadata } = earlier;
  return addVersion(asker, agent, { name, metadata, config: configOf(earlier) });
}

/** The keys that an agent names now; undefined where they did not change. */
function newKeys({ model_keys: keys }: AgentConfig, before: AgentConfig): string[] | undefined {
  return isDeepStrictEqual(keys, before.model_keys) ? undefined : keys;
}

async function addVersion(
  { sql, tenantId, limits }: Asker,
  agent: Agent,
  contents: Contents,
): Promise<Agent> {
  const { id, name, metadata } = agent;
  if (isDeepStrictEqual(contents, { name, metadata, config: configOf(agent) })) return agent;
  await checkVersionCount(sql, id, limits);
  return addAgentVersion(sql, { id, tenantId, ...contents });
}

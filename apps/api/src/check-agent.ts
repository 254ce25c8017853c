import { setImmediate } from 'node:timers/promises';
import {
  DEFAULT_POOL,
  type AgentConfig,
  type AgentTool,
  type InputSchema,
  type UpdateAgent,
  type ValidationIssue,
} from '@turnpike/contract';
import {
  findAgents,
  listAnnounced,
  readModelSettings,
  namedMcpServers,
  namedTools,
  type Sql,
} from '@turnpike/store';
import { BUILTIN_NAMES, type InputSchemas } from '@turnpike/tools';
import { checkModelKeys } from './check-secrets.ts';
import type { Call } from './route.ts';
import { throwIssues } from './throw-issues.ts';

/** Throws `invalid_request` for betas that the operator does not allow. */
export function checkBetas(allowed: readonly string[], { betas }: Pick<UpdateAgent, 'betas'>): void {
  throwIssues(
    (betas ?? []).flatMap((beta, index) => {
      const message = `is not allowed here; allowed are ${list(allowed)}`;
      return allowed.includes(beta) ? [] : [{ path: `betas.${index}`, message }];
    }),
  );
}

/**
 * Throws `invalid_request` for a schema of a client tool, a sub-agent or of the output that nothing can be validated
 * with.
 */
export async function checkSchemas(
  schemas: InputSchemas,
  tenantId: string,
  { tools, output_format: format }: Pick<UpdateAgent, 'tools' | 'output_format'>,
): Promise<void> {
  const issues: ValidationIssue[] = [];
  const check = async (path: string, schema: InputSchema): Promise<void> => {
    // A hundred schemas take a while: other requests are served in between.
    await setImmediate();
    const message = await schemas.fault(tenantId, schema);
    if (message !== null) issues.push({ path, message });
  };
  for (const [index, tool] of (tools ?? []).entries()) {
    if (!('input_schema' in tool) || tool.input_schema === undefined) continue;
    await check(`tools.${index}.input_schema`, tool.input_schema);
  }
  if (format) await check('output_format.schema', format.schema);
  throwIssues(issues);
}

/**
 * Throws `invalid_request` for tools, pools and secrets that a configuration names and that do not exist, and
 * `insufficient_scope` where the key may not name the secrets. The tools that it names are not deleted before the
 * transaction ends.
 */
export async function checkNames(
  asker: Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'may'>,
  { tools, pool, model_keys: keys = [] }: Pick<AgentConfig, 'tools' | 'pool' | 'model_keys'>,
): Promise<void> {
  const { sql, tenantId } = asker;
  const baseUrl = keys.length === 0 ? null : (await readModelSettings(sql, tenantId)).base_url;
  await checkModelKeys(asker, keys, 'model_keys', baseUrl);
  const named = tools.flatMap((tool) => (tool.type === 'http' ? [tool.name] : []));
  const registered =
    named.length === 0 ? new Set<string>() : await namedTools.shareNamed(sql, tenantId, named);
  const called = tools.flatMap((tool) => (tool.type === 'agent' ? [tool.agent_id] : []));
  const agents = called.length === 0 ? new Set<string>() : await findAgents(sql, tenantId, called);
  const servers = tools.flatMap((tool) => (tool.type === 'mcp' ? [tool.server] : []));
  const known =
    servers.length === 0 ? new Set<string>() : await namedMcpServers.shareNamed(sql, tenantId, servers);
  throwIssues([
    ...(await codeIssues(sql, pool, tools)),
    ...tools.flatMap((tool, index): ValidationIssue[] => {
      if (tool.type === 'mcp') {
        const message = `there is no MCP server ${tool.server}: register it with POST /v1/mcp_servers first`;
        return known.has(tool.server) ? [] : [{ path: `tools.${index}.server`, message }];
      }
      const { type, name } = tool;
      if (type === 'agent' && !agents.has(tool.agent_id)) {
        const issue = `there is no agent ${tool.agent_id}`;
        return [{ path: `tools.${index}.agent_id`, message: issue }];
      }
      const path = `tools.${index}.name`;
      if (type === 'http' && !registered.has(name)) {
        return [{ path, message: `there is no HTTP tool ${name}: register it with POST /v1/tools first` }];
      }
      if (type === 'builtin' && !BUILTIN_NAMES.includes(name)) {
        return [{ path, message: `there is no builtin tool ${name}; there are ${BUILTIN_NAMES.join(', ')}` }];
      }
      return [];
    }),
  ]);
}

/** How many names a message has at most. */
const MOST_NAMES = 20;

/** Tools in code, and pools, that no worker has announced in the last month. */
async function codeIssues(sql: Sql, pool: string, tools: readonly AgentTool[]): Promise<ValidationIssue[]> {
  if (pool === DEFAULT_POOL && tools.every(({ type }) => type !== 'code')) return [];
  const announced = await listAnnounced(sql);
  const ofPool = announced.get(pool) ?? new Set();
  if (pool !== DEFAULT_POOL && !announced.has(pool)) {
    const message = `no worker of the pool ${pool} has been seen: start one first; there are ${list([DEFAULT_POOL, ...announced.keys()])}`;
    return [{ path: 'pool', message }];
  }
  return tools.flatMap((tool, index) => {
    if (tool.type !== 'code' || ofPool.has(tool.name)) return [];
    const { name } = tool;
    const elsewhere = [...announced].flatMap(([other, names]) => (names.has(name) ? [other] : []));
    const message =
      elsewhere.length > 0
        ? `no worker of the pool ${pool} has the tool ${name}; workers of ${list(elsewhere)} have`
        : `unknown tool ${name}: start a worker whose code defines it first; there are ${list(ofPool)}`;
    return [{ path: `tools.${index}.name`, message }];
  });
}

function list(names: Iterable<string>): string {
  const all = [...new Set(names)].toSorted();
  if (all.length === 0) return 'none';
  const shown = all.slice(0, MOST_NAMES).join(', ');
  return all.length > MOST_NAMES ? `${shown} and others` : shown;
}

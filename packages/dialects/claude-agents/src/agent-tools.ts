import type { AgentTool, McpServer, ValidationIssue } from '@turnpike/contract';
import { refusedFor } from '@turnpike/dialect-base';
import type { McpServerParams, McpToolset, ToolParams, Toolset } from './agent-params.ts';

type McpTools = Extract<AgentTool, { type: 'mcp' }>;
type ServerTool = Extract<AgentTool, { type: 'server' }>;

/** Tools as `POST /v1/agents` takes them, before they are validated, and where in the request each stands. */
export interface GivenTools {
  tools: Record<string, unknown>[];
  paths: string[];
}

const CONTAINER = 'needs a container, and there is none: only web_search and web_fetch run here';
const isWebTool = (name: string): name is 'web_search' | 'web_fetch' =>
  name === 'web_search' || name === 'web_fetch';

/** Whether clients of the dialect see a tool of an agent: others it keeps, whatever they change. */
export function isShown(tool: AgentTool): boolean {
  return tool.type === 'client' || tool.type === 'mcp' || (tool.type === 'server' && isWebTool(tool.name));
}

/** Throws `invalid_request` for what no tool here can be. */
export function toolsOf(given: readonly ToolParams[], servers: readonly McpServerParams[]): GivenTools {
  const issues: ValidationIssue[] = [];
  const found: GivenTools = { tools: [], paths: [] };
  const add = (path: string, tools: Record<string, unknown>[]): void => {
    found.tools.push(...tools);
    found.paths.push(...tools.map(() => path));
  };
  for (const [index, tool] of given.entries()) {
    const path = `tools.${index}`;
    if (tool.type === 'custom') add(path, [{ ...tool, type: 'client' }]);
    else if (tool.type === 'mcp_toolset') add(path, [mcpTools(tool, path, servers, issues)]);
    else add(path, webTools(tool, path, issues));
  }
  for (const [index, { name }] of servers.entries()) {
    if (!given.some((tool) => tool.type === 'mcp_toolset' && tool.mcp_server_name === name))
      issues.push({ path: `mcp_servers.${index}.name`, message: 'is named by no mcp_toolset' });
  }
  if (issues.length > 0) throw refusedFor(issues);
  return found;
}

/** The tools of the set that the model API runs itself. */
function webTools(toolset: Toolset, path: string, issues: ValidationIssue[]): Record<string, unknown>[] {
  const { configs = [], default_config: standard } = toolset;
  if (standard?.enabled !== false) {
    const message = 'must be false: most tools of the set need a container. Enable web_search and web_fetch';
    issues.push({ path: `${path}.default_config.enabled`, message });
  }
  return configs.flatMap(({ name, type: _type, enabled, permission_policy: policy, ...settings }, index) => {
    if (enabled === false || enabled == null) return [];
    const at = `${path}.configs.${index}`;
    if (!isWebTool(name)) {
      issues.push({ path: `${at}.name`, message: `${name} ${CONTAINER}` });
      return [];
    }
    if ((policy ?? standard?.permission_policy)?.type === 'always_ask') {
      const message = 'cannot be always_ask: the model API runs the tool within its call';
      issues.push({ path: `${at}.permission_policy`, message });
    }
    const { user_location: place, ...others } = settings;
    const location = place == null ? {} : { user_location: withoutNulls(place) };
    return [{ type: 'server', name, ...withoutNulls(others), ...location }];
  });
}

const withoutNulls = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));

function mcpTools(
  { mcp_server_name: server, configs = [], default_config: standard }: McpToolset,
  path: string,
  servers: readonly McpServerParams[],
  issues: ValidationIssue[],
): Record<string, unknown> {
  if (!servers.some(({ name }) => name === server))
    issues.push({ path: `${path}.mcp_server_name`, message: 'is not among the mcp_servers' });
  const isOpen = standard?.enabled !== false;
  const enabled = configs.filter((config) => config.enabled ?? isOpen);
  if (isOpen && enabled.length < configs.length) {
    const message = 'cannot disable single tools: set default_config.enabled to false, and enable the others';
    issues.push({ path: `${path}.configs`, message });
  }
  const overrides = enabled.flatMap(({ name, permission_policy: policy }) =>
    policy == null ? [] : [[name, { requires_approval: policy.type === 'always_ask' }]],
  );
  return {
    type: 'mcp',
    server,
    ...(isOpen ? {} : { tools: enabled.map(({ name }) => name) }),
    ...(overrides.length === 0 ? {} : { overrides: Object.fromEntries(overrides) }),
  };
}

/**
 * Throws `invalid_request` for MCP servers that are not registered, or otherwise than the request says: their URL and
 * their credentials are the tenant's, and an agent only names them.
 */
export function checkServers(
  given: readonly ToolParams[],
  servers: readonly McpServerParams[],
  registered: readonly McpServer[],
): void {
  const byName = new Map(registered.map((server) => [server.name, server]));
  const issues = servers.flatMap(({ name, url }, index): ValidationIssue[] => {
    const known = byName.get(name);
    if (known?.url === url) return [];
    const message = 'is not registered with this name and this URL: do so with POST /v1/mcp_servers';
    return [{ path: `mcp_servers.${index}.${known === undefined ? 'name' : 'url'}`, message }];
  });
  for (const [index, tool] of given.entries()) {
    const policy = tool.type === 'mcp_toolset' ? tool.default_config?.permission_policy : null;
    if (policy == null || tool.type !== 'mcp_toolset') continue;
    const known = byName.get(tool.mcp_server_name);
    if (known === undefined || known.requires_approval === (policy.type === 'always_ask')) continue;
    const message = 'is that of the server: its `requires_approval` at /v1/mcp_servers';
    issues.push({ path: `tools.${index}.default_config.permission_policy`, message });
  }
  if (issues.length > 0) throw refusedFor(issues);
}

const policyOf = (asks: boolean): object => ({ type: asks ? 'always_ask' : 'always_allow' });

/** The tools of an agent as the client reads them, and the MCP servers that they are of. */
export function shownTools(
  tools: readonly AgentTool[],
  registered: ReadonlyMap<string, McpServer>,
): { tools: object[]; mcp_servers: object[] } {
  const web = tools.filter((tool): tool is ServerTool => tool.type === 'server' && isWebTool(tool.name));
  const mcp = tools.filter((tool): tool is McpTools => tool.type === 'mcp');
  const custom = tools.flatMap((tool) =>
    tool.type === 'client'
      ? [{ type: 'custom', name: tool.name, description: tool.description, input_schema: tool.input_schema }]
      : [],
  );
  return {
    tools: [
      ...custom,
      ...(web.length === 0 ? [] : [shownToolset(web)]),
      ...mcp.map((tool) => shownMcpToolset(tool, registered.get(tool.server))),
    ],
    mcp_servers: mcp.map(({ server }) => ({
      type: 'url',
      name: server,
      url: registered.get(server)?.url ?? '',
    })),
  };
}

function shownToolset(tools: readonly ServerTool[]): object {
  return {
    type: 'agent_toolset_20260401',
    default_config: { enabled: false, permission_policy: policyOf(false) },
    configs: tools.map(({ name, allowed_domains, blocked_domains, max_content_tokens, user_location }) => ({
      type: name,
      name,
      enabled: true,
      permission_policy: policyOf(false),
      ...(allowed_domains === undefined ? {} : { allowed_domains }),
      ...(blocked_domains === undefined ? {} : { blocked_domains }),
      ...(name === 'web_fetch'
        ? { url_sources: null, max_content_tokens: max_content_tokens ?? null }
        : { user_location: user_location ?? null }),
    })),
  };
}

function shownMcpToolset({ server, tools, overrides = {} }: McpTools, known: McpServer | undefined): object {
  const asks = known?.requires_approval ?? false;
  const names = new Set([...(tools ?? []), ...Object.keys(overrides)]);
  return {
    type: 'mcp_toolset',
    mcp_server_name: server,
    default_config: { enabled: tools === undefined, permission_policy: policyOf(asks) },
    configs: [...names].map((name) => ({
      name,
      enabled: tools === undefined || tools.includes(name),
      permission_policy: policyOf(overrides[name]?.requires_approval ?? asks),
    })),
  };
}

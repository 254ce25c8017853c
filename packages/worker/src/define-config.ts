import { checkTools } from './check-tools.ts';
import type { AgentDefinition } from './define-agent.ts';
import { checkMcpServers, type McpServerDefinition } from './define-mcp-server.ts';
import type { CodeTool } from './define-tool.ts';

/** What a project consists of. */
export interface ConfigSettings {
  tools?: readonly CodeTool[];
  /** Their tools in code are the project's too. `turnpike apply` and `turnpike dev` make them what they are here. */
  agents?: readonly AgentDefinition[];
  /** Servers that workers start, and whose tools they have. */
  mcpServers?: readonly McpServerDefinition[];
}

/** The default export of `turnpike.config.ts`. `startWorker` takes it as it is. */
export interface Config {
  readonly type: 'config';
  readonly tools: readonly CodeTool[];
  readonly agents: readonly AgentDefinition[];
  readonly mcpServers: readonly McpServerDefinition[];
}

const FIELDS = ['tools', 'agents', 'mcpServers'];

/** Defines a project. Throws a `TypeError` for an unknown field, and for two tools, agents or MCP servers of one name. */
export function defineConfig(settings: ConfigSettings): Config {
  if (typeof settings !== 'object' || settings === null) {
    throw new TypeError('The config: give defineConfig() an object, { tools: […], agents: […] }.');
  }
  const { tools = [], agents = [], mcpServers = [] } = settings;
  for (const [field, list] of Object.entries({ tools, agents, mcpServers })) {
    if (!Array.isArray(list)) throw new TypeError(`The config: ${field} must be a list.`);
  }
  for (const field of Object.keys(settings)) {
    if (!FIELDS.includes(field)) throw new TypeError(`The config: ${field} is not a known field.`);
  }
  const names = new Set<string>();
  for (const agent of agents) {
    if (agent?.type !== 'agent') throw new TypeError('The config: an agent was not made with defineAgent().');
    if (names.has(agent.name)) throw new TypeError(`The config: two agents are called ${agent.name}.`);
    names.add(agent.name);
  }
  const all = checkTools([...tools, ...agents.flatMap((agent) => agent.tools)]);
  return Object.freeze({
    type: 'config',
    tools: all,
    agents: [...agents],
    mcpServers: [...checkMcpServers(mcpServers)],
  });
}

import { checkTools } from './check-tools.ts';
import type { AgentDefinition } from './define-agent.ts';
import type { CodeTool } from './define-tool.ts';

/** What a project consists of. */
export interface ConfigSettings {
  tools?: readonly CodeTool[];
  /** Their tools in code are the project's too. `turnpike apply` and `turnpike dev` make them what they are here. */
  agents?: readonly AgentDefinition[];
}

/** The default export of `turnpike.config.ts`. `startWorker` takes it as it is. */
export interface Config {
  readonly type: 'config';
  readonly tools: readonly CodeTool[];
  readonly agents: readonly AgentDefinition[];
}

const FIELDS = ['tools', 'agents'];

/** Defines a project. Throws a `TypeError` for an unknown field, and for two tools or two agents of one name. */
export function defineConfig(settings: ConfigSettings): Config {
  const { tools = [], agents = [] } = settings;
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
  return Object.freeze({ type: 'config', tools: all, agents: [...agents] });
}

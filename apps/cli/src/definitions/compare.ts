import type { Agent, Tool, Turnpike } from '@turnpike/client';
import type { Definition } from './definition.ts';
import { planChanges, type Existing, type Plan } from './plan-changes.ts';

/** What becomes of each definition, compared with what is there now. */
export async function compare(turnpike: Turnpike, definitions: readonly Definition[]): Promise<Plan> {
  return planChanges(definitions, await readExisting(turnpike));
}

/** All agents and HTTP tools of the tenant. */
export async function readExisting(turnpike: Turnpike): Promise<Existing> {
  const agents: Agent[] = [];
  for await (const agent of turnpike.agents.list({ limit: 100 })) agents.push(agent);
  const tools: Tool[] = [];
  for await (const tool of turnpike.tools.list({ limit: 100 })) {
    // Tools in code are where their code is.
    if (tool.type === 'http') tools.push(tool);
  }
  return { agents, tools };
}

import { agentSchema, pageSchema, type Agent } from '@turnpike/contract';
import type { Api } from './api.ts';

const AGENT = {
  name: 'development',
  model: 'claude-haiku-5-5',
  system: 'You are a helpful assistant. Answer in one or two sentences.',
  tools: [{ type: 'builtin', name: 'current_time' }],
};

const agentListSchema = pageSchema(agentSchema);

/** The agent of that name, created where it is missing. */
export async function developmentAgent(api: Api): Promise<Agent> {
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await api.get(`/v1/agents?limit=100${query}`, agentListSchema);
    const found = page.items.find((agent) => agent.name === AGENT.name);
    if (found !== undefined) return found;
    cursor = page.next_cursor;
  } while (cursor !== null);
  return api.post('/v1/agents', AGENT, agentSchema);
}

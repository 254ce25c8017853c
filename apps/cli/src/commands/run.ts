import type { Agent, Turn } from '@turnpike/client';
import { Failure } from '../failure.ts';
import { calling, openPublicApi, type PublicApi } from '../public-api.ts';
import { say, warn } from '../say.ts';

/**
 * Submits a turn to an agent, waits for its end, and prints its output. Returns the exit code: 1 where the turn did not
 * complete.
 */
export async function run(agent: string, input: string): Promise<number> {
  const api = openPublicApi();
  const turn = await calling(api, async () => {
    const { id } = await findAgent(api, agent);
    const submitted = await api.turnpike.turns.submit({ agent_id: id, input });
    warn(`${submitted.id} is accepted.`);
    return api.turnpike.turns.wait(submitted.id);
  });
  report(turn);
  return turn.status === 'completed' ? 0 : 1;
}

async function findAgent({ turnpike }: PublicApi, wanted: string): Promise<Agent> {
  const names: string[] = [];
  const found: Agent[] = [];
  for await (const agent of turnpike.agents.list({ limit: 100 })) {
    if (agent.id === wanted) return agent;
    if (agent.name === wanted) found.push(agent);
    names.push(agent.name);
  }
  const [first, second] = found;
  if (first === undefined)
    throw new Failure(`There is no agent ${wanted}. There are: ${names.join(', ') || 'none'}.`);
  if (second !== undefined)
    throw new Failure(`Several agents are called ${wanted}: give an id, such as ${first.id}.`);
  return first;
}

function report({ status, error, output_text: text, required_action: action }: Turn): void {
  if (text !== null) say(text);
  if (error !== null) warn(`${error.code}: ${error.message}`);
  if (status === 'completed') return;
  const waiting = action?.tool_calls.map(({ name, awaiting }) => `${name} (${awaiting})`).join(', ');
  warn(waiting === undefined ? `The turn is ${status}.` : `The turn waits for ${waiting}.`);
}

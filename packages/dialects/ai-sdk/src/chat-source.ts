import { agentConfigSchema, overrideAgent, type Turn } from '@turnpike/contract';
import type { UseCases } from '@turnpike/dialect-base';
import { z } from 'zod';

/** How a turn is shown. */
export interface ChatSource {
  turn: Turn;
  /** The names of tools that the client runs. */
  clientTools: ReadonlySet<string>;
  /** Whether the model thinks in this turn. */
  thinks: boolean;
  /** Where clients reach the API. */
  origin: string;
}

/** Picks these fields of an agent. */
const configSchema = z.object(agentConfigSchema.shape);

export async function readSource({ agents }: UseCases, turn: Turn, origin: string): Promise<ChatSource> {
  const agent = await agents.read(turn.agent_id, turn.agent_version);
  const config = agent === null ? null : overrideAgent(configSchema.parse(agent), turn.overrides);
  const tools = config?.tools ?? turn.overrides?.tools ?? [];
  const thinking = config?.thinking?.type;
  return {
    turn,
    clientTools: new Set(tools.flatMap((tool) => (tool.type === 'client' ? [tool.name] : []))),
    thinks: thinking !== undefined && thinking !== 'disabled',
    origin,
  };
}

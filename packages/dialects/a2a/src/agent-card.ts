import type { Agent } from '@turnpike/contract';
import { DESCRIPTION } from '@turnpike/dialect-base';
import { defineMethod, type Answer } from './method.ts';
import { cardRequestSchema } from './requests.ts';
import { INPUT_MODES } from './to-blocks.ts';
import { VERSION } from './version.ts';

/** What an agent says of itself (`AgentCard`). */
export type AgentCard = Record<string, unknown>;

const OUTPUT_MODES = ['text/plain'];
const SCHEME = 'apiKey';

interface Said {
  name: string;
  description: string;
  version: string;
  outputModes: string[];
}

function cardOf(url: string, { name, description, version, outputModes }: Said): AgentCard {
  return {
    name,
    description,
    version,
    supportedInterfaces: ['JSONRPC', 'HTTP+JSON'].map((protocolBinding) => ({
      url,
      protocolBinding,
      protocolVersion: VERSION,
    })),
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true },
    securitySchemes: {
      [SCHEME]: { httpAuthSecurityScheme: { scheme: 'Bearer', description: 'An API key of Turnpike.' } },
    },
    securityRequirements: [{ schemes: { [SCHEME]: { list: [] } } }],
    defaultInputModes: [...INPUT_MODES],
    defaultOutputModes: outputModes,
    skills: [{ id: 'converse', name, description, tags: ['conversation'] }],
  };
}

/** Where an agent is spoken to, over either binding. */
function urlOf(origin: string, agentId: string): string {
  return `${origin}/a2a/${agentId}`;
}

/**
 * The card that anyone may read: how to speak to an agent, and nothing of the agent. It is made of the request alone, so
 * it does not even say whether there is such an agent.
 */
export function publicCard(origin: string, agentId: string): AgentCard {
  return cardOf(urlOf(origin, agentId), {
    name: agentId,
    description: 'An agent of Turnpike. What it does is in its extended card, for clients with a key.',
    version: VERSION,
    outputModes: OUTPUT_MODES,
  });
}

/** The card for clients with a key. The prompt and the tools of the agent are not shown. */
function extendedCard(origin: string, agent: Agent): AgentCard {
  const description = agent.metadata[DESCRIPTION];
  return cardOf(urlOf(origin, agent.id), {
    name: agent.name,
    description: description === undefined || description === '' ? `The agent ${agent.name}.` : description,
    version: String(agent.version),
    outputModes: agent.output_format === undefined ? OUTPUT_MODES : [...OUTPUT_MODES, 'application/json'],
  });
}

export const getExtendedAgentCard = defineMethod({
  name: 'GetExtendedAgentCard',
  scope: 'turns:read',
  params: cardRequestSchema,
  answer: ({ origin, agent }): Promise<Answer> => Promise.resolve({ result: extendedCard(origin, agent) }),
});

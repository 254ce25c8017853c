import { type Agent, type McpServer } from '@turnpike/contract';
import { DESCRIPTION, type UseCases } from '@turnpike/dialect-base';
import { z } from 'zod';
import { shownTools } from './agent-tools.ts';
import { LABELS, shownLabels } from './labels.ts';

/** For the document: what clients rely on. */
export const agentBody = z
  .looseObject({
    id: z.string(),
    type: z.literal('agent'),
    name: z.string(),
    version: z.int(),
    archived_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    description: z.string().nullable(),
    system: z.string().nullable(),
    model: z.looseObject({ id: z.string() }),
    tools: z.array(z.looseObject({ type: z.string() })),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'ClaudeAgent', description: 'An agent of Claude Managed Agents: one version of an agent.' });

type Servers = ReadonlyMap<string, McpServer>;

/** The MCP servers that these agents name. */
export async function serversOf({ mcpServers }: UseCases, agents: readonly Agent[]): Promise<Servers> {
  const names = agents.flatMap(({ tools }) =>
    tools.flatMap((tool) => (tool.type === 'mcp' ? [tool.server] : [])),
  );
  const found = await mcpServers.find([...new Set(names)]);
  return new Map(found.map((server) => [server.name, server]));
}

export async function readBody(useCases: UseCases, agent: Agent): Promise<object> {
  return bodyOf(agent, await serversOf(useCases, [agent]));
}

/** An agent as the client reads it. */
export function bodyOf(agent: Agent, servers: Servers): object {
  return {
    ...definitionOf(agent, servers),
    archived_at: agent.metadata[LABELS.archivedAt] ?? null,
    created_at: agent.created_at,
    updated_at: agent.updated_at,
    metadata: shownLabels(agent.metadata, [DESCRIPTION]),
  };
}

/** What an agent is, as its sessions show it too. */
export function definitionOf(agent: Agent, servers: Servers): object {
  return {
    id: agent.id,
    type: 'agent',
    name: agent.name,
    version: agent.version,
    description: agent.metadata[DESCRIPTION] ?? null,
    system: systemOf(agent),
    model: {
      id: agent.model,
      ...(agent.effort === undefined ? {} : { effort: { type: agent.effort } }),
      ...(agent.inference_geo === undefined ? {} : { inference_geo: agent.inference_geo }),
      ...(agent.speed === undefined ? {} : { speed: agent.speed }),
    },
    ...shownTools(agent.tools, servers),
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
  };
}

function systemOf({ system }: Agent): string | null {
  if (system === undefined || system === '') return null;
  return typeof system === 'string' ? system : system.map(({ text }) => text).join('\n\n');
}

import type { Agent, Session } from '@turnpike/contract';
import type { DialectCall, SessionActivity, UseCases } from '@turnpike/dialect-base';
import { z } from 'zod';
import { definitionOf, serversOf } from './agent.ts';
import { LABELS, shownLabels } from './labels.ts';
import { amountOf, budgetOf } from './money.ts';

/** For the document: what clients rely on. */
export const sessionBody = z
  .looseObject({
    id: z.string(),
    type: z.literal('session'),
    status: z.enum(['running', 'idle']),
    agent: z.looseObject({ id: z.string(), version: z.int() }),
    environment_id: z.string(),
    title: z.string().nullable(),
    archived_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'ClaudeSession', description: 'A session of Claude Managed Agents: a session.' });

/** Where a session was not created by a client of this dialect. */
const NO_ENVIRONMENT = 'env_none';

/** The version of its agent that a session was created with; undefined where it has the newest. */
export function versionOf({ metadata }: Session): number | undefined {
  const pinned = Number(metadata[LABELS.agentVersion]);
  return Number.isInteger(pinned) && pinned > 0 ? pinned : undefined;
}

export async function readSessionBody(useCases: UseCases, session: Session, asker: Asker): Promise<object> {
  const [body] = await sessionBodies(useCases, [session], asker);
  return body ?? {};
}

/** Whoever may not read agents is not shown the prompt and the tools of one in its sessions either. */
type Asker = Pick<DialectCall<unknown, unknown, unknown>, 'checkScope'>;

function mayReadAgents({ checkScope }: Asker): boolean {
  try {
    checkScope('agents:read');
    return true;
  } catch {
    return false;
  }
}

/** Sessions as the client reads them. */
export async function sessionBodies(
  useCases: UseCases,
  sessions: readonly Session[],
  asker: Asker,
): Promise<object[]> {
  const activity = await useCases.sessions.activity(sessions.map(({ id }) => id));
  const distinct = new Map(sessions.map((session) => [agentKey(session), session]));
  const read = async ([key, session]: [string, Session]): Promise<[string, Agent | null]> => [
    key,
    await useCases.agents.read(session.agent_id, versionOf(session)),
  ];
  const agents = new Map(await Promise.all([...distinct].map(read)));
  const there = [...agents.values()].filter((agent) => agent !== null);
  const servers = await serversOf(useCases, there);
  const isWhole = mayReadAgents(asker);
  const agentOf = (session: Session): object => {
    const agent = agents.get(agentKey(session)) ?? null;
    if (agent === null) return deletedAgent(session);
    const definition = definitionOf(agent, servers);
    return isWhole ? definition : { ...definition, system: null, tools: [], mcp_servers: [] };
  };
  return sessions.map((session) => bodyOf(session, agentOf(session), activity.get(session.id)));
}

const agentKey = (session: Session): string => `${session.agent_id} ${versionOf(session) ?? ''}`;

function bodyOf(session: Session, agent: object, activity: SessionActivity | undefined): object {
  const { metadata } = session;
  const status = activity?.status ?? null;
  return {
    id: session.id,
    type: 'session',
    status: status === null || status === 'requires_action' ? 'idle' : 'running',
    agent,
    environment_id: metadata[LABELS.environmentId] ?? NO_ENVIRONMENT,
    title: metadata[LABELS.title] ?? null,
    archived_at: metadata[LABELS.archivedAt] ?? null,
    created_at: session.created_at,
    updated_at: activity?.changedAt ?? session.created_at,
    metadata: shownLabels(metadata),
    budget: budgetOf(session.budget_micros),
    usage: usageOf(activity),
    stats: {},
    resources: [],
    vault_ids: [],
    outcome_evaluations: [],
    deployment_id: null,
  };
}

function usageOf(activity: SessionActivity | undefined): object {
  if (activity === undefined) return {};
  const { usage, costMicros } = activity;
  return {
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_creation: { ephemeral_5m_input_tokens: usage.cache_creation_input_tokens },
    list_cost: amountOf(costMicros),
  };
}

/** Nothing is known of an agent that was deleted but its id. */
const deletedAgent = (session: Session): object => ({
  id: session.agent_id,
  type: 'agent',
  name: session.agent_id,
  version: versionOf(session) ?? 1,
  description: null,
  system: null,
  model: { id: 'deleted' },
  tools: [],
  mcp_servers: [],
  skills: [],
  multiagent: null,
  execution_identity: { type: 'service_account' },
});

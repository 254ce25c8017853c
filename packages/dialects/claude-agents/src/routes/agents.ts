import { agentVersionSchema, idSchema, updateAgentSchema, type Agent } from '@turnpike/contract';
import {
  defineDialectRoute,
  orNotFound,
  parse,
  refused,
  type DialectRoute,
  type UseCases,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { createAgentParams, updateAgentParams } from '../agent-params.ts';
import { agentBody, bodyOf, readBody, serversOf } from '../agent.ts';
import {
  archiveAgent,
  changedTools,
  createAgent,
  newAgent,
  theirPath,
  updateAgent,
} from '../change-agent.ts';
import {
  beta,
  checkHeaders,
  decodePage,
  encodePage,
  noAgent,
  noQuery,
  pageLimit,
  pageToken,
  time,
} from '../common.ts';
import { createdBetween } from '../created-at.ts';
import { laterInTheirWords } from '../errors.ts';
import { LABELS } from '../labels.ts';

const params = z.object({ agent_id: idSchema('agent') });
const flag = z.enum(['true', 'false']);

const agentPage = z
  .object({ data: z.array(agentBody), next_page: z.string().nullable() })
  .meta({ id: 'ClaudeAgentPage', description: 'A page of agents.' });

async function readAgent(useCases: UseCases, id: string, version?: number): Promise<Agent> {
  const agent = await useCases.agents.read(id, version);
  if (agent === null) throw noAgent();
  return agent;
}

async function pageOf(
  useCases: UseCases,
  agents: readonly Agent[],
  most: number,
  tokenOf: (agent: Agent) => string,
): Promise<object> {
  const page = agents.slice(0, most);
  const last = page.at(-1);
  const servers = await serversOf(useCases, page);
  return {
    data: page.map((agent) => bodyOf(agent, servers)),
    next_page: agents.length > most && last !== undefined ? tokenOf(last) : null,
  };
}

export const agentRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/agents',
    operationId: 'claudeCreateAgent',
    summary: "Create an agent, as Anthropic's SDK does",
    scope: 'agents:write',
    audit: 'agent.created',
    params: z.object({}),
    query: noQuery,
    body: createAgentParams,
    examples: {
      least: { value: { name: 'Support', model: 'claude-sonnet-4-5' } },
      tools: {
        value: {
          name: 'Support',
          model: { id: 'claude-sonnet-4-5' },
          system: 'You help customers.',
          tools: [
            {
              type: 'custom',
              name: 'look_up',
              description: 'Looks up an order.',
              input_schema: { type: 'object', properties: { order: { type: 'string' } } },
            },
          ],
        },
      },
    },
    response: { status: 200, description: 'The agent, at version 1.', schema: agentBody },
    problems: ['agent_limit', 'metadata_too_large'],
    async prepare({ body }, checks) {
      const { agent, tools } = newAgent(body);
      await laterInTheirWords(theirPath(tools), () => checks.agent(agent));
    },
    async handle(call, useCases) {
      checkHeaders(call);
      const agent = await createAgent(useCases, call.body);
      return { status: 200, body: await readBody(useCases, agent) };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/agents',
    operationId: 'claudeListAgents',
    summary: "List agents, newest first, as Anthropic's SDK does",
    scope: 'agents:read',
    params: z.object({}),
    query: z.object({
      beta,
      limit: pageLimit,
      page: pageToken,
      include_archived: flag.optional().meta({ description: '`true`: with those that are archived.' }),
      'created_at[gte]': time('Created at this time or later.'),
      'created_at[lte]': time('Created at this time or before.'),
    }),
    response: { status: 200, description: 'One page.', schema: agentPage },
    problems: ['invalid_cursor'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { query } = call;
      const wanted = {
        ...createdBetween(query),
        withoutLabel: query.include_archived === 'true' ? undefined : LABELS.archivedAt,
      };
      const page = { cursor: decodePage(query.page, 'agent'), limit: query.limit + 1 };
      const found = await useCases.agents.list(wanted, page);
      return { status: 200, body: await pageOf(useCases, found, query.limit, ({ id }) => encodePage(id)) };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/agents/:agent_id',
    operationId: 'claudeGetAgent',
    summary: "Read an agent, as Anthropic's SDK does",
    scope: 'agents:read',
    params,
    query: z.object({
      beta,
      version: z.coerce
        .number()
        .pipe(agentVersionSchema)
        .optional()
        .meta({ description: 'At this version.' }),
    }),
    response: { status: 200, description: 'The agent.', schema: agentBody },
    problems: ['not_found'],
    async handle(call, useCases) {
      checkHeaders(call);
      const agent = await readAgent(useCases, call.params.agent_id, call.query.version);
      return { status: 200, body: await readBody(useCases, agent) };
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/agents/:agent_id',
    operationId: 'claudeUpdateAgent',
    summary: "Change an agent in part, as Anthropic's SDK does",
    scope: 'agents:write',
    audit: 'agent.updated',
    params,
    query: noQuery,
    body: updateAgentParams,
    examples: { least: { value: { system: 'You help customers, briefly.' } } },
    response: { status: 200, description: 'The agent, at its newest version.', schema: agentBody },
    problems: ['not_found', 'agent_changed', 'agent_version_limit', 'metadata_too_large'],
    async prepare({ body }, checks) {
      const given = changedTools(body);
      if (given === undefined) return;
      await laterInTheirWords(theirPath(given), async () => {
        const { tools } = parse(updateAgentSchema, { tools: given.tools });
        await checks.agent({ tools });
      });
    },
    async handle(call, useCases) {
      checkHeaders(call);
      const agent = await readAgent(useCases, call.params.agent_id);
      const changed = await orNotFound(updateAgent(useCases, agent, call.body), noAgent);
      return { status: 200, body: await readBody(useCases, changed) };
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/agents/:agent_id/archive',
    operationId: 'claudeArchiveAgent',
    summary: "Archive an agent, as Anthropic's SDK does",
    description:
      'Marks the agent: it is not listed, and gets no new sessions here. Sessions that it has go on.',
    scope: 'agents:write',
    audit: 'agent.archived',
    params,
    query: noQuery,
    response: { status: 200, description: 'The agent.', schema: agentBody },
    problems: ['not_found', 'agent_changed', 'agent_version_limit'],
    async handle(call, useCases) {
      checkHeaders(call);
      const agent = await readAgent(useCases, call.params.agent_id);
      const archived = await orNotFound(archiveAgent(useCases, agent), noAgent);
      return { status: 200, body: await readBody(useCases, archived) };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/agents/:agent_id/versions',
    operationId: 'claudeListAgentVersions',
    summary: "List the versions of an agent, newest first, as Anthropic's SDK does",
    scope: 'agents:read',
    params,
    query: z.object({ beta, limit: pageLimit, page: pageToken }),
    response: { status: 200, description: 'One page.', schema: agentPage },
    problems: ['not_found'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { page, limit: most } = call.query;
      const before = page === undefined ? null : Number(page);
      if (before !== null && !agentVersionSchema.safeParse(before).success)
        throw refused('page', 'is not from a list of this kind');
      const read = useCases.agents.versions(call.params.agent_id, { before, limit: most + 1 });
      const versions = await orNotFound(read, noAgent);
      return { status: 200, body: await pageOf(useCases, versions, most, ({ version }) => String(version)) };
    },
  }),
];

import {
  agentConfigSchema,
  agentSchema,
  createAgentSchema,
  idSchema,
  newId,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  updateAgentSchema,
  type Agent,
  type AgentConfig,
  type ValidationIssue,
} from '@turnpike/contract';
import { addAgentVersion, deleteAgent, insertAgent, listAgents, readAgent } from '@turnpike/store';
import { checkInputSchema } from '@turnpike/tools';
import { z } from 'zod';
import { pageOf } from '../cursor.ts';
import { defineRoute, type Answer, type Route } from '../route.ts';
import { checkModelKeys } from './model-settings.ts';

const params = z.object({ agent_id: idSchema('agent') });
const none = z.object({});
const noAgent = (id: string): ProblemError => new ProblemError('not_found', `There is no agent ${id}.`);

export const agentRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/agents',
    operationId: 'createAgent',
    summary: 'Make an agent',
    tag: 'Agents',
    scope: 'agents:write',
    audit: 'agent.created',
    params: none,
    query: none,
    body: createAgentSchema,
    answer: { status: 201, description: 'The agent, at version 1.', schema: agentSchema },
    problems: [],
    async prepare({ body }) {
      checkClientTools(body);
    },
    async handle({ tenantId, body, sql }) {
      await checkModelKeys(sql, tenantId, body.model_keys ?? [], 'model_keys');
      const agent = await insertAgent(sql, {
        id: newId('agent'),
        tenantId,
        name: body.name,
        metadata: body.metadata ?? {},
        config: configOf(body),
      });
      return {
        status: 201,
        headers: { Location: `/v1/agents/${agent.id}` },
        body: agent,
        audited: named(agent),
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/agents',
    operationId: 'listAgents',
    summary: 'List agents, newest first',
    tag: 'Agents',
    scope: 'agents:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: idSchema('agent').optional() }),
    answer: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(agentSchema).meta({ id: 'AgentList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query }, { database }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const agents = await listAgents(database, tenantId, page);
      return { status: 200, body: pageOf(agents, query.limit, (agent) => agent.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/agents/:agent_id',
    operationId: 'getAgent',
    summary: 'Read an agent at its newest version',
    tag: 'Agents',
    scope: 'agents:read',
    params,
    query: none,
    answer: { status: 200, description: 'The agent.', schema: agentSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { agent_id: id } }, { database }) {
      const agent = await readAgent(database, tenantId, id);
      if (agent === null) throw noAgent(id);
      return { status: 200, body: agent };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/agents/:agent_id',
    operationId: 'updateAgent',
    summary: 'Give an agent a new version; turns that were accepted keep theirs',
    tag: 'Agents',
    scope: 'agents:write',
    audit: 'agent.updated',
    params,
    query: none,
    body: updateAgentSchema,
    answer: { status: 200, description: 'The agent, at its new version.', schema: agentSchema },
    problems: ['not_found'],
    async prepare({ body }) {
      checkClientTools(body);
    },
    async handle({ tenantId, params: { agent_id: id }, body, sql }) {
      await checkModelKeys(sql, tenantId, body.model_keys ?? [], 'model_keys');
      const agent = await addAgentVersion(sql, {
        id,
        tenantId,
        name: body.name ?? null,
        metadata: body.metadata ?? null,
        config: configOf(body),
      });
      if (agent === null) throw noAgent(id);
      return { status: 200, body: agent, audited: named(agent) };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/agents/:agent_id',
    operationId: 'deleteAgent',
    summary: 'Delete an agent; turns that were accepted run on',
    tag: 'Agents',
    scope: 'agents:write',
    audit: 'agent.deleted',
    params,
    query: none,
    answer: { status: 204, description: 'It is gone.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { agent_id: id }, sql }) {
      if (!(await deleteAgent(sql, tenantId, id))) throw noAgent(id);
      return { status: 204 };
    },
  }),
];

const named = ({ name, version }: Agent): NonNullable<Answer['audited']> => ({ details: { name, version } });

/** What is fixed by a version: the body without what names the agent. */
function configOf(body: z.output<typeof updateAgentSchema>): AgentConfig {
  return z.object(agentConfigSchema.shape).parse(body);
}

/** Throws `invalid_request` for a schema that nothing could be checked against. */
function checkClientTools({ tools }: AgentConfig): void {
  const issues = tools.flatMap((tool, place): ValidationIssue[] => {
    const message = tool.type === 'client' ? checkInputSchema(tool.input_schema) : null;
    return message === null ? [] : [{ path: `tools.${place}.input_schema`, message }];
  });
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
}

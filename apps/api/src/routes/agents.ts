import {
  agentSchema,
  agentVersionSchema,
  createAgentSchema,
  idSchema,
  pageLimitSchema,
  pageSchema,
  updateAgentSchema,
  type Agent,
} from '@turnpike/contract';
import { deleteAgent, listAgents, listAgentVersions, readAgent } from '@turnpike/store';
import { z } from 'zod';
import { createAgent, noAgent, noVersion, restoreAgent, updateAgent } from '../change-agent.ts';
import { checkBetas, checkSchemas } from '../check-agent.ts';
import { decodePosition, encodePosition, pageOf } from '../cursor.ts';
import { defineRoute, located, type Route, type RouteResult } from '../route.ts';

const params = z.object({ agent_id: idSchema('agent') });
const none = z.object({});
const versionParameter = z.coerce.number().pipe(agentVersionSchema);

export const agentRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/agents',
    operationId: 'createAgent',
    summary: 'Create an agent',
    tag: 'Agents',
    scope: 'agents:write',
    audit: 'agent.created',
    params: none,
    query: none,
    body: createAgentSchema,
    response: {
      status: 201,
      description: 'The agent, at version 1.',
      schema: agentSchema,
      headers: located,
    },
    problems: ['agent_limit', 'metadata_too_large'],
    async prepare({ tenantId, body }, { inputSchemas, modelBetas }) {
      checkBetas(modelBetas, body);
      await checkSchemas(inputSchemas, tenantId, body);
    },
    async handle({ tenantId, limits, body, sql, may }) {
      const agent = await createAgent({ sql, tenantId, limits, may }, body);
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
    response: {
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
    summary: 'Read an agent at its newest version, or at another one',
    tag: 'Agents',
    scope: 'agents:read',
    params,
    query: z.object({ version: versionParameter.optional() }),
    response: { status: 200, description: 'The agent.', schema: agentSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { agent_id: id }, query, sql }) {
      const agent = await readAgent(sql, tenantId, id, query.version);
      if (agent === null) throw query.version === undefined ? noAgent(id) : noVersion(id, query.version);
      return { status: 200, body: agent };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/agents/:agent_id/versions',
    operationId: 'listAgentVersions',
    summary: 'List the versions of an agent, newest first',
    tag: 'Agents',
    scope: 'agents:read',
    params,
    query: z.object({ limit: pageLimitSchema, cursor: z.string().max(100).optional() }),
    response: {
      status: 200,
      description: 'One page: the agent as it was at each version.',
      schema: pageSchema(agentSchema).meta({ id: 'AgentVersionList' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle({ tenantId, params: { agent_id: id }, query }, { database }) {
      const [before = null] = query.cursor === undefined ? [] : decodePosition(query.cursor, 1);
      const page = { before, limit: query.limit + 1 };
      const versions = await listAgentVersions(database, tenantId, id, page);
      if (versions.length === 0 && (await readAgent(database.pool, tenantId, id)) === null) throw noAgent(id);
      return { status: 200, body: pageOf(versions, query.limit, (agent) => encodePosition([agent.version])) };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/agents/:agent_id/versions/:version/restore',
    operationId: 'restoreAgentVersion',
    summary: 'Restore an earlier version of an agent, as a new version',
    tag: 'Agents',
    scope: 'agents:write',
    audit: 'agent.restored',
    params: params.extend({ version: versionParameter }),
    query: none,
    response: {
      status: 200,
      description: 'The agent, at a new version that is equal to the earlier one.',
      schema: agentSchema,
    },
    problems: ['not_found', 'agent_version_limit'],
    async handle({ tenantId, limits, params: { agent_id: id, version: earlier }, sql, may }) {
      const agent = await restoreAgent({ sql, tenantId, limits, may }, id, earlier);
      const details = { name: agent.name, version: agent.version, restored_version: earlier };
      return { status: 200, body: agent, audited: { subject: id, details } };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/agents/:agent_id',
    operationId: 'updateAgent',
    summary: 'Change an agent in part; turns that were accepted keep their version',
    tag: 'Agents',
    scope: 'agents:write',
    audit: 'agent.updated',
    params,
    query: none,
    body: updateAgentSchema,
    response: {
      status: 200,
      description: 'The agent, at a new version; at the same one where nothing changed.',
      schema: agentSchema,
    },
    problems: ['not_found', 'agent_changed', 'agent_version_limit', 'metadata_too_large'],
    async prepare({ tenantId, body }, { inputSchemas, modelBetas }) {
      checkBetas(modelBetas, body);
      await checkSchemas(inputSchemas, tenantId, body);
    },
    async handle({ tenantId, limits, params: { agent_id: id }, body, sql, may }) {
      const agent = await updateAgent({ sql, tenantId, limits, may }, id, body);
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
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { agent_id: id }, sql }) {
      if (!(await deleteAgent(sql, tenantId, id))) throw noAgent(id);
      return { status: 204 };
    },
  }),
];

const named = ({ name, version }: Agent): NonNullable<RouteResult['audited']> => ({
  details: { name, version },
});

import {
  acceptMcpToolsSchema,
  createMcpServerSchema,
  idSchema,
  mcpServerConfigSchema,
  mcpServerSchema,
  mcpToolListSchema,
  newId,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  updateMcpServerSchema,
  type McpServerConfig,
} from '@turnpike/contract';
import {
  acceptMcpTools,
  createMcpListStore,
  insertMcpServer,
  listMcpServers,
  namedMcpServers,
  readMcpServer,
  updateMcpServer,
} from '@turnpike/store';
import { z } from 'zod';
import { checkCount } from '../check-count.ts';
import { checkPublicUrl } from '../check-public-url.ts';
import { checkMcpSecrets } from '../check-secrets.ts';
import { pageOf } from '../cursor.ts';
import { refuseInUse } from '../refuse-in-use.ts';
import { defineRoute, located, type Route, type Services } from '../route.ts';

const params = z.object({ mcp_server_id: idSchema('mcpServer') });
const none = z.object({});
const noServer = (id: string): ProblemError => new ProblemError('not_found', `There is no MCP server ${id}.`);

export const mcpServerRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/mcp_servers',
    operationId: 'createMcpServer',
    summary: 'Register an MCP server; agents name it, and a turn asks it for its tools when it begins',
    tag: 'MCP servers',
    scope: 'tools:write',
    audit: 'mcp_server.created',
    params: none,
    query: none,
    body: createMcpServerSchema,
    response: { status: 201, description: 'The server.', schema: mcpServerSchema, headers: located },
    problems: ['mcp_server_name_taken', 'mcp_server_limit'],
    async prepare({ body }, services) {
      checkUrls(body, services);
    },
    async handle({ tenantId, limits, body, sql, may }) {
      await checkCount(sql, { tenantId, limits }, 'mcpServers');
      const config = configOf(body);
      await checkMcpSecrets({ sql, tenantId, may }, config, null);
      const id = newId('mcpServer');
      const { name } = body;
      const server = await insertMcpServer(sql, { id, tenantId, name, config });
      if (server === null)
        throw new ProblemError('mcp_server_name_taken', `There is an MCP server ${name} already.`);
      return {
        status: 201,
        headers: { Location: `/v1/mcp_servers/${id}` },
        body: server,
        audited: { details: { name } },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/mcp_servers',
    operationId: 'listMcpServers',
    summary: 'List MCP servers, newest first',
    tag: 'MCP servers',
    scope: 'tools:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: idSchema('mcpServer').optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(mcpServerSchema).meta({ id: 'McpServerList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query }, { database }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const servers = await listMcpServers(database, tenantId, page);
      return { status: 200, body: pageOf(servers, query.limit, (server) => server.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/mcp_servers/:mcp_server_id',
    operationId: 'getMcpServer',
    summary: 'Read an MCP server',
    tag: 'MCP servers',
    scope: 'tools:read',
    params,
    query: none,
    response: { status: 200, description: 'The server.', schema: mcpServerSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { mcp_server_id: id } }, { database }) {
      const server = await readMcpServer(database, tenantId, id);
      if (server === null) throw noServer(id);
      return { status: 200, body: server };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/mcp_servers/:mcp_server_id',
    operationId: 'updateMcpServer',
    summary: 'Replace the configuration of an MCP server; a turn uses it from its next claim by a worker',
    tag: 'MCP servers',
    scope: 'tools:write',
    audit: 'mcp_server.updated',
    params,
    query: none,
    body: updateMcpServerSchema,
    response: { status: 200, description: 'The server; its name stays.', schema: mcpServerSchema },
    problems: ['not_found'],
    async prepare({ body }, services) {
      checkUrls(body, services);
    },
    async handle({ tenantId, params: { mcp_server_id: id }, body, sql, may }) {
      const before = await namedMcpServers.lock(sql, tenantId, id);
      if (before === null) throw noServer(id);
      const config = configOf(body);
      await checkMcpSecrets({ sql, tenantId, may }, config, configOf(before));
      const server = await updateMcpServer(sql, { id, tenantId, config });
      if (server === null) throw noServer(id);
      return { status: 200, body: server, audited: { details: { name: server.name } } };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/mcp_servers/:mcp_server_id/tools',
    operationId: 'getMcpTools',
    summary: 'Read the tools that an MCP server listed last',
    tag: 'MCP servers',
    scope: 'tools:read',
    params,
    query: none,
    response: {
      status: 200,
      description: 'All of them, also those that are refused.',
      schema: mcpToolListSchema,
    },
    problems: ['not_found'],
    async handle({ tenantId, params: { mcp_server_id: id } }, { database }) {
      const server = await readMcpServer(database, tenantId, id);
      if (server === null) throw noServer(id);
      const { tools_hash: hash } = server;
      const tools = hash === null ? [] : await createMcpListStore(database).readList(tenantId, hash);
      return { status: 200, body: { object: 'mcp_tool_list', hash, tools: tools ?? [] } };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/mcp_servers/:mcp_server_id/accept_tools',
    operationId: 'acceptMcpTools',
    summary: 'Accept the new and changed tools of an MCP server whose `on_change` is `refuse`',
    tag: 'MCP servers',
    scope: 'tools:write',
    audit: 'mcp_server.tools_accepted',
    params,
    query: none,
    body: acceptMcpToolsSchema,
    response: {
      status: 200,
      description: 'The server. Turns that begin now have its tools.',
      schema: mcpServerSchema,
    },
    problems: ['not_found', 'mcp_tools_changed'],
    async handle({ tenantId, params: { mcp_server_id: id }, body: { tools_hash: hash }, sql }) {
      const before = await namedMcpServers.lock(sql, tenantId, id);
      if (before === null) throw noServer(id);
      const server = await acceptMcpTools(sql, { tenantId, id, hash });
      if (server === null) {
        const detail = `The newest list of ${before.name} has the hash ${before.tools_hash ?? 'null'}.`;
        throw new ProblemError('mcp_tools_changed', detail);
      }
      return {
        status: 200,
        body: server,
        audited: { details: { name: server.name, tools: before.refused_tools.slice(0, MOST_AUDITED) } },
      };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/mcp_servers/:mcp_server_id',
    operationId: 'deleteMcpServer',
    summary: 'Delete an MCP server that no agent uses',
    tag: 'MCP servers',
    scope: 'tools:write',
    audit: 'mcp_server.deleted',
    params,
    query: z.object({
      force: z.enum(['true', 'false']).default('false').meta({
        description: 'Deletes it also where agents use it: they no longer have its tools.',
      }),
    }),
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found', 'mcp_server_in_use'],
    async handle({ tenantId, params: { mcp_server_id: id }, query, sql }) {
      const server = await namedMcpServers.lock(sql, tenantId, id);
      if (server === null) throw noServer(id);
      const { name } = server;
      const agents = await refuseInUse(
        { sql, tenantId },
        { type: 'mcp', server: name },
        query.force === 'true',
      );
      await namedMcpServers.remove(sql, tenantId, id);
      return { status: 204, audited: { details: { name, agents } } };
    },
  }),
];

/** Throws `invalid_request` for an address that may not be called. */
function checkUrls({ url, auth }: McpServerConfig, services: Pick<Services, 'checkPublicUrl'>): void {
  checkPublicUrl(url, 'url', services);
  checkPublicUrl(auth?.issuer, 'auth.issuer', services);
}

/** The body without the name, which is not part of the configuration. */
function configOf(body: McpServerConfig): McpServerConfig {
  return configSchema.parse(body);
}

const configSchema = z.object(mcpServerConfigSchema.shape);

/** How many accepted tools an audit entry names at most. */
const MOST_AUDITED = 20;

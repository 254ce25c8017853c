import { randomBytes } from 'node:crypto';
import {
  createdToolSchema,
  createToolSchema,
  idSchema,
  listedToolSchema,
  newId,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  toolConfigSchema,
  toolSchema,
  updateToolSchema,
  type ToolConfig,
} from '@turnpike/contract';
import {
  insertTool,
  listCodeTools,
  listTools,
  namedTools,
  readCodeTool,
  readTool,
  updateTool,
} from '@turnpike/store';
import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { checkToolSecrets } from '../check-secrets.ts';
import { pageOf } from '../cursor.ts';
import { checkCount } from '../check-count.ts';
import { checkPublicUrl } from '../check-public-url.ts';
import { refuseInUse } from '../refuse-in-use.ts';
import { defineRoute, located, type Route, type Services } from '../route.ts';

const params = z.object({ tool_id: idSchema('tool') });
const none = z.object({});
const noTool = (id: string): ProblemError => new ProblemError('not_found', `There is no tool ${id}.`);
const noHttpTool = (id: string): ProblemError =>
  new ProblemError('not_found', `There is no HTTP tool ${id}. A tool in code changes with its code.`);

/** The name of a tool's signing key in its encryption context; a worker that claims a turn reads it by this name. */
const SIGNING_FIELD = 'signing_secret';

export const toolRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/tools',
    operationId: 'createTool',
    summary: 'Register an HTTP tool; agents name it, and every call of it is signed (Standard Webhooks)',
    tag: 'Tools',
    scope: 'tools:write',
    audit: 'tool.created',
    params: none,
    query: none,
    body: createToolSchema,
    response: {
      status: 201,
      description: 'The tool, with its signing secret. A replay comes without the secret.',
      schema: createdToolSchema,
      headers: located,
    },
    problems: ['tool_name_taken', 'tool_limit'],
    async prepare({ tenantId, body }, services) {
      await checkTool(tenantId, body, services);
      await services.secretBox.prepare(tenantId);
    },
    async handle({ tenantId, limits, body, sql, may }, { secretBox }) {
      await checkCount(sql, { tenantId, limits }, 'tools');
      const config = configOf(body);
      await checkToolSecrets({ sql, tenantId, may }, config, null);
      const id = newId('tool');
      const secret = new Secret(`whsec_${randomBytes(32).toString('base64')}`);
      const signingSecret = await secretBox.seal(tenantId, id, SIGNING_FIELD, 1, secret);
      const { name } = body;
      const tool = await insertTool(sql, { id, tenantId, name, config, signingSecret });
      if (tool === null) throw new ProblemError('tool_name_taken', `There is a tool ${name} already.`);
      return {
        status: 201,
        headers: { Location: `/v1/tools/${id}` },
        body: tool,
        shownOnce: { [SIGNING_FIELD]: secret.reveal() },
        audited: { details: { name } },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/tools',
    operationId: 'listTools',
    summary: "List HTTP tools and those that workers' code defines, newest first",
    tag: 'Tools',
    scope: 'tools:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: idSchema('tool').optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(listedToolSchema).meta({ id: 'ToolList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query }, { database }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const [http, code] = await Promise.all([
        listTools(database, tenantId, page),
        listCodeTools(database.pool, page),
      ]);
      const tools = [...http, ...code].toSorted((one, other) => (one.id < other.id ? 1 : -1));
      return { status: 200, body: pageOf(tools.slice(0, page.limit), query.limit, (tool) => tool.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/tools/:tool_id',
    operationId: 'getTool',
    summary: 'Read a tool',
    tag: 'Tools',
    scope: 'tools:read',
    params,
    query: none,
    response: {
      status: 200,
      description: 'The tool; an HTTP tool without its signing secret.',
      schema: listedToolSchema,
    },
    problems: ['not_found'],
    async handle({ tenantId, params: { tool_id: id } }, { database }) {
      const tool = (await readTool(database, tenantId, id)) ?? (await readCodeTool(database.pool, id));
      if (tool === null) throw noTool(id);
      return { status: 200, body: tool };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/tools/:tool_id',
    operationId: 'updateTool',
    summary: 'Replace the configuration of a tool; a turn uses it from its next claim by a worker',
    tag: 'Tools',
    scope: 'tools:write',
    audit: 'tool.updated',
    params,
    query: none,
    body: updateToolSchema,
    response: { status: 200, description: 'The tool; its name and signing secret stay.', schema: toolSchema },
    problems: ['not_found'],
    async prepare({ tenantId, body }, services) {
      await checkTool(tenantId, body, services);
    },
    async handle({ tenantId, params: { tool_id: id }, body, sql, may }) {
      const before = await namedTools.lock(sql, tenantId, id);
      if (before === null) throw noHttpTool(id);
      const config = configOf(body);
      await checkToolSecrets({ sql, tenantId, may }, config, configOf(before));
      const tool = await updateTool(sql, { id, tenantId, config });
      if (tool === null) throw noHttpTool(id);
      return { status: 200, body: tool, audited: { details: { name: tool.name } } };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/tools/:tool_id',
    operationId: 'deleteTool',
    summary: 'Delete a tool that no agent uses',
    tag: 'Tools',
    scope: 'tools:write',
    audit: 'tool.deleted',
    params,
    query: z.object({
      force: z
        .enum(['true', 'false'])
        .default('false')
        .meta({
          description:
            'Deletes it also where agents use it. Their turns fail with `unknown_tool` when a worker next claims ' +
            'them, until there is a tool of that name again.',
        }),
    }),
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found', 'tool_in_use'],
    async handle({ tenantId, params: { tool_id: id }, query, sql }) {
      const tool = await namedTools.lock(sql, tenantId, id);
      if (tool === null) throw noHttpTool(id);
      const { name } = tool;
      const agents = await refuseInUse({ sql, tenantId }, { type: 'http', name }, query.force === 'true');
      await namedTools.remove(sql, tenantId, id);
      return { status: 204, audited: { details: { name, agents } } };
    },
  }),
];

/** Throws `invalid_request` for an address that may not be called, and a schema that no input can be validated with. */
async function checkTool(
  tenantId: string,
  { url, reconcile_url: reconcileUrl, input_schema: schema }: ToolConfig,
  services: Pick<Services, 'checkPublicUrl' | 'inputSchemas'>,
): Promise<void> {
  checkPublicUrl(url, 'url', services);
  checkPublicUrl(reconcileUrl, 'reconcile_url', services);
  const message = await services.inputSchemas.fault(tenantId, schema);
  if (message === null) return;
  throw new ProblemError('invalid_request', 'The body is not valid.', {
    issues: [{ path: 'input_schema', message }],
  });
}

/** The body without the name, which is not part of the configuration. */
function configOf(body: ToolConfig): ToolConfig {
  return configSchema.parse(body);
}

const configSchema = z.object(toolConfigSchema.shape);

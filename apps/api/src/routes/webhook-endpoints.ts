import {
  createdWebhookEndpointSchema,
  createWebhookEndpointSchema,
  deliverySchema,
  deliveryStatusSchema,
  idSchema,
  newId,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  redeliverSchema,
  redeliverySchema,
  rotateWebhookSecretSchema,
  updateWebhookEndpointSchema,
  webhookEndpointSchema,
  webhookSecretSchema,
  type WebhookEndpoint,
} from '@turnpike/contract';
import {
  announceEvent,
  deleteWebhookEndpoint,
  insertWebhookEndpoint,
  inTransaction,
  listDeliveries,
  listWebhookEndpoints,
  readWebhookEndpoint,
  redeliverAll,
  replaceWebhookSecret,
  updateWebhookEndpoint,
} from '@turnpike/store';
import { makeSigningSecret } from '@turnpike/webhooks';
import { z } from 'zod';
import { checkCount } from '../check-count.ts';
import { checkPublicUrl } from '../check-public-url.ts';
import { pageOf } from '../cursor.ts';
import { anyOf, timeFilters, timesOf } from '../list-filters.ts';
import { defineRoute, located, type Route, type Services } from '../route.ts';
import { eventsOf } from '../webhook-events.ts';

const none = z.object({});
const params = z.object({ webhook_endpoint_id: idSchema('webhookEndpoint') });
const tag = 'Webhooks';
const MOST_RANGE_MS = 31 * 24 * 60 * 60 * 1000;

const noEndpoint = (id: string): ProblemError =>
  new ProblemError('not_found', `There is no webhook endpoint ${id}.`);

export const webhookEndpointRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/webhook_endpoints',
    operationId: 'createWebhookEndpoint',
    summary: 'Create a webhook endpoint; every webhook is signed (Standard Webhooks)',
    tag,
    scope: 'webhooks:write',
    params: none,
    query: none,
    body: createWebhookEndpointSchema,
    response: {
      status: 201,
      description: 'The endpoint, with its signing secret. A replay comes without the secret.',
      schema: createdWebhookEndpointSchema,
      headers: located,
    },
    problems: ['webhook_endpoint_limit'],
    async prepare({ tenantId, body }, services) {
      checkPublicUrl(body.url, 'url', services);
      eventsOf(body.format, body.events);
      await services.secretBox.prepare(tenantId);
    },
    async handle({ tenantId, limits, body, sql }, { secretBox }) {
      const id = newId('webhookEndpoint');
      const events = eventsOf(body.format, body.events);
      const secret = makeSigningSecret();
      const endpoint = await inTransaction(sql, async (transaction) => {
        await checkCount(transaction, { tenantId, limits }, 'webhookEndpoints');
        const inserted = await insertWebhookEndpoint(transaction, { ...body, events, id, tenantId });
        await replaceWebhookSecret(transaction, secretBox, { tenantId, owner: id }, secret, 0);
        return inserted;
      });
      return {
        status: 201,
        headers: { Location: `/v1/webhook_endpoints/${id}` },
        body: endpoint,
        shownOnce: { signing_secret: secret.reveal() },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/webhook_endpoints',
    operationId: 'listWebhookEndpoints',
    summary: 'List webhook endpoints, newest first',
    tag,
    scope: 'webhooks:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: idSchema('webhookEndpoint').optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(webhookEndpointSchema).meta({ id: 'WebhookEndpointList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query }, { database }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const endpoints = await listWebhookEndpoints(database, tenantId, page);
      return { status: 200, body: pageOf(endpoints, query.limit, (endpoint) => endpoint.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id',
    operationId: 'getWebhookEndpoint',
    summary: 'Read a webhook endpoint',
    tag,
    scope: 'webhooks:read',
    params,
    query: none,
    response: { status: 200, description: 'Without its signing secret.', schema: webhookEndpointSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { webhook_endpoint_id: id } }, services) {
      return { status: 200, body: await readThere(services, tenantId, id) };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id',
    operationId: 'updateWebhookEndpoint',
    summary: 'Change a webhook endpoint, or enable it again; omitted fields are unchanged',
    tag,
    scope: 'webhooks:write',
    params,
    query: none,
    body: updateWebhookEndpointSchema,
    response: { status: 200, description: 'The endpoint.', schema: webhookEndpointSchema },
    problems: ['not_found'],
    async prepare({ tenantId, params: { webhook_endpoint_id: id }, body }, services) {
      checkPublicUrl(body.url, 'url', services);
      if (body.events === undefined) return;
      const { format } = await readThere(services, tenantId, id);
      eventsOf(format, body.events);
    },
    async handle({ tenantId, params: { webhook_endpoint_id: id }, body, sql }) {
      const endpoint = await updateWebhookEndpoint(sql, { id, tenantId, change: body });
      if (endpoint === null) throw noEndpoint(id);
      return { status: 200, body: endpoint };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id',
    operationId: 'deleteWebhookEndpoint',
    summary: 'Delete a webhook endpoint; its pending deliveries are not sent',
    tag,
    scope: 'webhooks:write',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { webhook_endpoint_id: id }, sql }) {
      if (!(await deleteWebhookEndpoint(sql, tenantId, id))) throw noEndpoint(id);
      return { status: 204 };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id/rotate',
    operationId: 'rotateWebhookEndpointSecret',
    summary: 'Rotate the signing secret of an endpoint; for a while both secrets sign',
    tag,
    scope: 'webhooks:write',
    params,
    query: none,
    body: rotateWebhookSecretSchema,
    response: {
      status: 200,
      description: 'The endpoint, with its new signing secret. A replay comes without the secret.',
      schema: createdWebhookEndpointSchema,
    },
    problems: ['not_found'],
    async prepare({ tenantId, params: { webhook_endpoint_id: id } }, services) {
      await readThere(services, tenantId, id);
      await services.secretBox.prepare(tenantId);
    },
    async handle({ tenantId, params: { webhook_endpoint_id: id }, body, sql }, services) {
      const endpoint = await readThere(services, tenantId, id);
      const secret = makeSigningSecret();
      const owner = { tenantId, owner: id };
      await replaceWebhookSecret(sql, services.secretBox, owner, secret, body.overlap_seconds);
      return { status: 200, body: endpoint, shownOnce: { signing_secret: secret.reveal() } };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/webhook_secret/rotate',
    operationId: 'rotateWebhookSecret',
    summary: 'Rotate the signing secret for the `webhook_url` of turns; for a while both secrets sign',
    tag,
    scope: 'webhooks:write',
    params: none,
    query: none,
    body: rotateWebhookSecretSchema,
    response: {
      status: 200,
      description: 'The secret, the first one too. A replay comes without it.',
      schema: webhookSecretSchema,
    },
    problems: [],
    async prepare({ tenantId }, { secretBox }) {
      await secretBox.prepare(tenantId);
    },
    async handle({ tenantId, body, sql }, { secretBox }) {
      const secret = makeSigningSecret();
      const owner = { tenantId, owner: tenantId };
      const made = await replaceWebhookSecret(sql, secretBox, owner, secret, body.overlap_seconds);
      return {
        status: 200,
        body: { object: 'webhook_secret', version: made.version, created_at: made.createdAt.toISOString() },
        shownOnce: { signing_secret: secret.reveal() },
      };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id/ping',
    operationId: 'pingWebhookEndpoint',
    summary: 'Send an event of the type `ping`, to test the endpoint',
    tag,
    scope: 'webhooks:write',
    params,
    query: none,
    response: { status: 202, description: 'Its delivery.', schema: deliverySchema, headers: located },
    problems: ['not_found', 'webhook_endpoint_disabled'],
    async handle({ tenantId, params: { webhook_endpoint_id: id }, sql }, services) {
      await readEnabled(services, tenantId, id);
      const payload = { webhook_endpoint: { id } };
      const event = { id: newId('event'), tenantId, type: 'ping', payload, onlyEndpoint: id };
      const [delivery] = await inTransaction(sql, async (transaction) => {
        await announceEvent(transaction, event);
        const page = { cursor: null, limit: 1 };
        return listDeliveries(transaction, tenantId, page, { endpointId: id, type: 'ping' });
      });
      if (delivery === undefined) throw noEndpoint(id);
      return { status: 202, headers: { Location: `/v1/deliveries/${delivery.id}` }, body: delivery };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id/deliveries',
    operationId: 'listDeliveriesOfEndpoint',
    summary: 'List the deliveries of an endpoint, newest first',
    tag,
    scope: 'webhooks:read',
    params,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('delivery').optional(),
      status: anyOf(deliveryStatusSchema),
      ...timeFilters,
      type: z.string().max(100).optional(),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(deliverySchema).meta({ id: 'DeliveryList' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle({ tenantId, params: { webhook_endpoint_id: id }, query, sql }, services) {
      await readThere(services, tenantId, id);
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = { endpointId: id, statuses: query.status, type: query.type, ...timesOf(query) };
      const deliveries = await listDeliveries(sql, tenantId, page, filter);
      return { status: 200, body: pageOf(deliveries, query.limit, (delivery) => delivery.id) };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/webhook_endpoints/:webhook_endpoint_id/redeliver',
    operationId: 'redeliverToEndpoint',
    summary: 'Redeliver the events of a period, up to 1,000 per request',
    tag,
    scope: 'webhooks:write',
    params,
    query: none,
    body: redeliverSchema,
    response: { status: 202, description: 'How many are redelivered.', schema: redeliverySchema },
    problems: ['not_found', 'webhook_endpoint_disabled'],
    async handle({ tenantId, params: { webhook_endpoint_id: id }, body, sql }, services) {
      await readEnabled(services, tenantId, id);
      const since = new Date(body.since);
      const until = body.until === undefined ? new Date() : new Date(body.until);
      if (until.getTime() - since.getTime() > MOST_RANGE_MS || until < since) {
        throw new ProblemError('invalid_request', 'The body is not valid.', {
          issues: [{ path: 'until', message: 'must be after `since`, by 31 days at most' }],
        });
      }
      const which = { tenantId, endpointId: id, since, until, statuses: body.statuses };
      const { redelivered, through } = await redeliverAll(sql, which);
      return {
        status: 202,
        body: { object: 'redelivery', redelivered, through: through?.toISOString() ?? null },
      };
    },
  }),
];

async function readThere({ database }: Services, tenantId: string, id: string): Promise<WebhookEndpoint> {
  const endpoint = await readWebhookEndpoint(database, tenantId, id);
  if (endpoint === null) throw noEndpoint(id);
  return endpoint;
}

async function readEnabled(services: Services, tenantId: string, id: string): Promise<WebhookEndpoint> {
  const endpoint = await readThere(services, tenantId, id);
  if (endpoint.enabled) return endpoint;
  throw new ProblemError('webhook_endpoint_disabled', `Nothing is sent to ${id} while it is disabled.`);
}

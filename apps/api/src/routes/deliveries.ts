import {
  deliverySchema,
  deliveryStatusSchema,
  deliveryWithAttemptsSchema,
  idSchema,
  pageLimitSchema,
  pageSchema,
  ProblemError,
} from '@turnpike/contract';
import { listDeliveries, listDeliveryAttempts, readDelivery, redeliver } from '@turnpike/store';
import { z } from 'zod';
import { pageOf } from '../cursor.ts';
import { anyOf, timeFilters, timesOf } from '../list-filters.ts';
import { defineRoute, type Route } from '../route.ts';

const none = z.object({});
const params = z.object({ delivery_id: idSchema('delivery') });
const noDelivery = (id: string): ProblemError => new ProblemError('not_found', `There is no delivery ${id}.`);

export const deliveryRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/deliveries',
    operationId: 'listDeliveries',
    summary: 'List webhook deliveries, newest first: of all endpoints, or of one turn',
    tag: 'Webhooks',
    mayLag: true,
    scope: 'webhooks:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('delivery').optional(),
      turn_id: idSchema('turn').optional(),
      status: anyOf(deliveryStatusSchema),
      ...timeFilters,
      type: z.string().max(100).optional(),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(deliverySchema).meta({ id: 'AllDeliveryList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = {
        turnId: query.turn_id,
        statuses: query.status,
        type: query.type,
        ...timesOf(query),
      };
      const deliveries = await listDeliveries(sql, tenantId, page, filter);
      return { status: 200, body: pageOf(deliveries, query.limit, (delivery) => delivery.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/deliveries/:delivery_id',
    operationId: 'getDelivery',
    summary: 'Read a delivery and its attempts',
    tag: 'Webhooks',
    scope: 'webhooks:read',
    params,
    query: none,
    response: { status: 200, description: 'The delivery.', schema: deliveryWithAttemptsSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { delivery_id: id }, sql }) {
      const delivery = await readDelivery(sql, tenantId, id);
      if (delivery === null) throw noDelivery(id);
      return { status: 200, body: { ...delivery, attempt_log: await listDeliveryAttempts(sql, id) } };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/deliveries/:delivery_id/redeliver',
    operationId: 'redeliver',
    summary: 'Redeliver an event, whatever the status of its delivery',
    tag: 'Webhooks',
    scope: 'webhooks:write',
    params,
    query: none,
    response: { status: 202, description: 'The delivery, waiting again.', schema: deliverySchema },
    problems: ['not_found', 'webhook_endpoint_disabled'],
    async handle({ tenantId, params: { delivery_id: id }, sql }) {
      const again = await redeliver(sql, tenantId, id);
      if (again === null) throw noDelivery(id);
      if (!again.begun) {
        throw new ProblemError(
          'webhook_endpoint_disabled',
          'The endpoint of this delivery is disabled, or deleted: enable it first. Or its push configuration was removed or replaced.',
        );
      }
      return { status: 202, body: again.delivery };
    },
  }),
];

import { tenantLimitsSchema } from '@turnpike/contract';
import { z } from 'zod';
import { defineRoute, type Route } from '../route.ts';

const none = z.object({});

export const limitRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/limits',
    operationId: 'getLimits',
    summary: 'Read the limits of the tenant',
    tag: 'Limits',
    scope: 'turns:read',
    params: none,
    query: none,
    response: { status: 200, description: 'The limits in force.', schema: tenantLimitsSchema },
    problems: [],
    async handle({ limits }) {
      return { status: 200, body: { object: 'limits', ...limits } };
    },
  }),
];

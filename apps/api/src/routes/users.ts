import {
  createUserErasureSchema,
  idSchema,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  userErasureSchema,
} from '@turnpike/contract';
import { listUserErasures, readUserErasure, requestUserErasure } from '@turnpike/store';
import { z } from 'zod';
import { pageOf } from '../cursor.ts';
import { defineRoute, located, type Route } from '../route.ts';

const none = z.object({});

export const userRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/user_erasures',
    operationId: 'createUserErasure',
    summary: 'Erase an end user: all their sessions, with everything in them',
    tag: 'Users',
    scope: 'turns:write',
    audit: 'user.erasure_requested',
    params: none,
    query: none,
    body: createUserErasureSchema,
    response: {
      status: 202,
      description:
        'It goes on by itself, and running turns of the user are stopped. While it is pending, the same request gives the same erasure.',
      schema: userErasureSchema,
      headers: located,
    },
    problems: [],
    async handle({ tenantId, actor: { keyId }, body: { user_id: userId }, sql }) {
      const erasure = await requestUserErasure(sql, { tenantId, userId, keyId });
      return {
        status: 202,
        headers: { Location: `/v1/user_erasures/${erasure.id}` },
        body: erasure,
        // Never the id of the user: entries of the log are not deleted.
        audited: { subject: erasure.id, details: { user_hash: erasure.user_hash } },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/user_erasures',
    operationId: 'listUserErasures',
    summary: 'List erasures of end users, newest first',
    tag: 'Users',
    scope: 'turns:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: idSchema('userErasure').optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(userErasureSchema).meta({ id: 'UserErasureList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const erasures = await listUserErasures(sql, tenantId, {
        cursor: query.cursor ?? null,
        limit: query.limit + 1,
      });
      return { status: 200, body: pageOf(erasures, query.limit, ({ id }) => id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/user_erasures/:user_erasure_id',
    operationId: 'getUserErasure',
    summary: 'Read the erasure of an end user',
    tag: 'Users',
    scope: 'turns:read',
    params: z.object({ user_erasure_id: idSchema('userErasure') }),
    query: none,
    response: { status: 200, description: 'The erasure.', schema: userErasureSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { user_erasure_id: id }, sql }) {
      const erasure = await readUserErasure(sql, tenantId, id);
      if (erasure === null) throw new ProblemError('not_found', `There is no erasure ${id}.`);
      return { status: 200, body: erasure };
    },
  }),
];

import {
  createSessionSchema,
  idSchema,
  messageSchema,
  pageLimitSchema,
  pageSchema,
  sessionSchema,
  updateSessionSchema,
  userIdSchema,
} from '@turnpike/contract';
import { listMessages, listSessions, readSession, sessionExists } from '@turnpike/store';
import { z } from 'zod';
import { changeSession, createSession, eraseSession, noSession } from '../change-sessions.ts';
import { decodePosition, encodePosition, pageOf } from '../cursor.ts';
import { metadataFilter, timeFilters, timesOf } from '../list-filters.ts';
import { defineRoute, located, type Route } from '../route.ts';

const params = z.object({ session_id: idSchema('session') });
const none = z.object({});

export const sessionRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/sessions',
    operationId: 'createSession',
    summary: 'Create a session',
    tag: 'Sessions',
    scope: 'turns:write',
    params: none,
    query: none,
    body: createSessionSchema,
    response: { status: 201, description: 'The session.', schema: sessionSchema, headers: located },
    problems: ['not_found', 'session_limit', 'metadata_too_large'],
    async handle(call, services) {
      const { session, afterCommit } = await createSession(services, call, call.body);
      return {
        status: 201,
        headers: { Location: `/v1/sessions/${session.id}` },
        body: session,
        afterCommit,
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/sessions',
    operationId: 'listSessions',
    summary: 'List sessions, newest first',
    tag: 'Sessions',
    mayLag: true,
    scope: 'turns:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('session').optional(),
      agent_id: idSchema('agent').optional(),
      forked_from: idSchema('session').optional().meta({ description: 'Only forks of this session.' }),
      user_id: userIdSchema.optional().meta({ description: 'Only sessions of this end user.' }),
      ...timeFilters,
      metadata: metadataFilter,
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(sessionSchema).meta({ id: 'SessionList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = {
        agentId: query.agent_id,
        forkedFrom: query.forked_from,
        userId: query.user_id,
        ...timesOf(query),
        metadata: query.metadata,
      };
      const sessions = await listSessions(sql, tenantId, page, filter);
      return { status: 200, body: pageOf(sessions, query.limit, (session) => session.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/sessions/:session_id',
    operationId: 'getSession',
    summary: 'Read a session',
    tag: 'Sessions',
    scope: 'turns:read',
    params,
    query: none,
    response: { status: 200, description: 'The session.', schema: sessionSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { session_id: id } }, { database }) {
      const session = await readSession(database, tenantId, id);
      if (session === null) throw noSession(id);
      return { status: 200, body: session };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/sessions/:session_id',
    operationId: 'updateSession',
    summary: 'Change the metadata or the budget of a session',
    tag: 'Sessions',
    scope: 'turns:write',
    params,
    query: none,
    body: updateSessionSchema,
    response: { status: 200, description: 'The session.', schema: sessionSchema },
    problems: ['not_found', 'metadata_too_large'],
    async handle(call) {
      return { status: 200, body: await changeSession(call, call.params.session_id, call.body) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/sessions/:session_id/messages',
    operationId: 'listMessages',
    summary: 'List the messages of a session, oldest first unless `order` says otherwise',
    tag: 'Sessions',
    scope: 'turns:read',
    params,
    query: z.object({
      limit: pageLimitSchema,
      cursor: z.string().max(100).optional(),
      order: z.enum(['asc', 'desc']).default('asc').meta({ description: '`desc`: the newest first.' }),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(messageSchema).meta({ id: 'MessageList' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle({ tenantId, params: { session_id: id }, query, sql }, { database }) {
      const [turnSequence = 0, index = 0] = query.cursor === undefined ? [] : decodePosition(query.cursor, 2);
      const after = query.cursor === undefined ? null : { turnSequence, index };
      if (!(await sessionExists(sql, tenantId, id))) throw noSession(id);
      const messages = await listMessages(database, id, {
        after,
        order: query.order,
        limit: query.limit + 1,
      });
      const page = pageOf(messages, query.limit, ({ position }) =>
        encodePosition([position.turnSequence, position.index]),
      );
      return { status: 200, body: { ...page, items: page.items.map((item) => item.message) } };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/sessions/:session_id',
    operationId: 'deleteSession',
    summary: 'Erase a session and all that belongs to it; a running turn is stopped',
    tag: 'Sessions',
    scope: 'turns:write',
    audit: 'session.erased',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle(call, services) {
      return { status: 204, ...(await eraseSession(services, call, call.params.session_id)) };
    },
  }),
];

import { forkSessionSchema, idSchema, rerunPreviewSchema, sessionSchema } from '@turnpike/contract';
import { forkSession, previewRerun } from '@turnpike/turns';
import { z } from 'zod';
import { defineRoute, located, type Route } from '../route.ts';

const none = z.object({});

/** To go back in a session, which itself never changes. */
export const forkRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/sessions/:session_id/fork',
    operationId: 'forkSession',
    summary: 'Copy a session up to a turn, a step or a message into a new session',
    tag: 'Sessions',
    scope: 'turns:write',
    params: z.object({ session_id: idSchema('session') }),
    query: none,
    body: forkSessionSchema,
    response: { status: 201, description: 'The new session.', schema: sessionSchema, headers: located },
    problems: [
      'not_found',
      'turn_not_ended',
      'agent_deleted',
      'session_limit',
      'session_too_large',
      'metadata_too_large',
    ],
    async handle({ tenantId, limits, params: { session_id: sessionId }, body, sql }, { capacity }) {
      const { session, sessions } = await forkSession(sql, {
        tenantId,
        sessionId,
        after: { turnId: body.after_turn_id, step: body.after_step, messageId: body.after_message_id },
        agentId: body.agent_id,
        metadata: body.metadata,
        budgetMicros: body.budget_micros,
        mostSessions: capacity.limitToEnforce('sessions', tenantId, limits),
      });
      return {
        status: 201,
        headers: { Location: `/v1/sessions/${session.id}` },
        body: session,
        afterCommit: () => capacity.added('sessions', tenantId, sessions),
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns/:turn_id/rerun',
    operationId: 'previewRerun',
    summary: 'List the tool calls that a rerun of a turn may repeat',
    tag: 'Turns',
    scope: 'turns:read',
    params: z.object({ turn_id: idSchema('turn') }),
    query: z.object({
      from_step: z.coerce.number().int().min(0).optional().meta({
        description: 'The index of the model call that is to be made again first. Default: 0.',
      }),
    }),
    response: { status: 200, description: 'Those calls.', schema: rerunPreviewSchema },
    problems: ['not_found', 'turn_not_ended'],
    async handle({ tenantId, params: { turn_id: id }, query, sql }) {
      return { status: 200, body: await previewRerun(sql, tenantId, id, query.from_step ?? 0) };
    },
  }),
];

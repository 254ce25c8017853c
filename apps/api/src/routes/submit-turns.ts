import {
  idSchema,
  rerunTurnSchema,
  resumeTurnSchema,
  startTurnSchema,
  submitTurnSchema,
  turnSchema,
} from '@turnpike/contract';
import { z } from 'zod';
import { checkPublicUrl } from '../check-public-url.ts';
import { defineRoute, type Route, type Services } from '../route.ts';

const none = z.object({});
const response = {
  status: 202,
  description: 'The turn is stored, and will be run.',
  schema: turnSchema,
  headers: z.object({ Location: z.string(), 'Retry-After': z.string() }),
};

/** The ways to submit a turn. What becomes of it is decided by `submitTurn` of `packages/turns`. */
export const submitRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/sessions/:session_id/turns',
    operationId: 'submitTurn',
    summary: 'Submit a turn to a session',
    tag: 'Turns',
    scope: 'turns:write',
    params: z.object({ session_id: idSchema('session') }),
    query: none,
    body: submitTurnSchema,
    response,
    problems: [
      'not_found',
      'agent_deleted',
      'session_busy',
      'queue_full',
      'budget_exceeded',
      'metadata_too_large',
      'override_not_allowed',
    ],
    prepare: checkWebhookUrl,
    submit: ({ params, body }) => ({ of: 'session', sessionId: params.session_id, submission: body }),
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns',
    operationId: 'startTurn',
    summary: 'Submit a turn that creates its session',
    tag: 'Turns',
    scope: 'turns:write',
    params: none,
    query: none,
    body: startTurnSchema,
    response,
    problems: [
      'not_found',
      'queue_full',
      'session_limit',
      'budget_exceeded',
      'metadata_too_large',
      'override_not_allowed',
    ],
    prepare: checkWebhookUrl,
    submit: ({ body }) => ({ of: 'new_session', submission: body }),
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns/:turn_id/resume',
    operationId: 'resumeTurn',
    summary: 'Submit a turn that resumes one which stopped before the model had responded',
    tag: 'Turns',
    scope: 'turns:write',
    params: z.object({ turn_id: idSchema('turn') }),
    query: none,
    body: resumeTurnSchema,
    response,
    problems: [
      'not_found',
      'not_resumable',
      'agent_deleted',
      'queue_full',
      'budget_exceeded',
      'metadata_too_large',
      'override_not_allowed',
    ],
    prepare: checkWebhookUrl,
    submit: ({ params, body }) => ({ of: 'stopped_turn', turnId: params.turn_id, submission: body }),
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns/:turn_id/rerun',
    operationId: 'rerunTurn',
    summary: 'Submit a turn that makes another one again, in a fork of its session',
    tag: 'Turns',
    scope: 'turns:write',
    params: z.object({ turn_id: idSchema('turn') }),
    query: none,
    body: rerunTurnSchema,
    response,
    problems: [
      'not_found',
      'turn_not_ended',
      'rerun_not_confirmed',
      'not_resumable',
      'agent_deleted',
      'queue_full',
      'session_limit',
      'session_too_large',
      'budget_exceeded',
      'metadata_too_large',
      'override_not_allowed',
    ],
    prepare: checkWebhookUrl,
    submit: ({ params, body }) => ({ of: 'rerun', turnId: params.turn_id, submission: body }),
  }),
];

async function checkWebhookUrl(
  { body }: { body: { webhook_url?: string | undefined } },
  services: Services,
): Promise<void> {
  checkPublicUrl(body.webhook_url, 'webhook_url', services);
}

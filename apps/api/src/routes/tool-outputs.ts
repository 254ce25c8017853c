import { idSchema, submitToolOutputsSchema, turnSchema } from '@turnpike/contract';
import { CheckedAnswers } from '@turnpike/turns';
import { z } from 'zod';
import { answerTurn, checkOutputs } from '../answer-turn.ts';
import { defineRoute, type Route } from '../route.ts';

export const toolOutputRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/turns/:turn_id/tool_outputs',
    operationId: 'submitToolOutputs',
    summary: 'Send tool outputs to a turn in `requires_action`',
    tag: 'Turns',
    scope: 'turns:write',
    params: z.object({ turn_id: idSchema('turn') }),
    query: z.object({}),
    body: submitToolOutputsSchema,
    response: {
      status: 202,
      description: 'The turn; it goes on once every call has its output.',
      schema: turnSchema,
    },
    problems: ['not_found', 'no_action_required', 'tool_call_settled'],
    prepare: ({ tenantId, params, body }, services) => checkOutputs(services, tenantId, params.turn_id, body),
    async handle(call, services) {
      const { prepared: checked } = call;
      if (!(checked instanceof CheckedAnswers)) throw new TypeError('The outputs were not checked.');
      const { turn, afterCommit } = await answerTurn(services, call, call.params.turn_id, call.body, checked);
      return { status: 202, headers: { 'Retry-After': '1' }, body: turn, afterCommit };
    },
  }),
];

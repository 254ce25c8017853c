import { idSchema, submitToolOutputsSchema, turnSchema, type AuditDetails } from '@turnpike/contract';
import { answerAction, type ExplainAnswer } from '@turnpike/turns';
import { z } from 'zod';
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
    // To repeat a call that may have taken effect is a decision with an author.
    auditSome: 'tool_call.sent_again',
    async handle({ tenantId, params: { turn_id: id }, body, sql }, { backplane, dispatcher, inputSchemas }) {
      const explain: ExplainAnswer = (schema, answer) => inputSchemas.misfit(tenantId, schema, answer);
      const { turn, resumes, sentAgain } = await answerAction(sql, tenantId, id, body, explain);
      const { session_id: sessionId } = turn;
      return {
        status: 202,
        headers: { 'Retry-After': '1' },
        body: turn,
        ...(sentAgain.length === 0 ? {} : { audited: { details: detailsOf(sentAgain) } }),
        afterCommit() {
          if (resumes) dispatcher.changed({ sessionId, tenantId });
          backplane.live.changed({ sessionId, turnId: id, eventCount: null });
        },
      };
    },
  }),
];

function detailsOf(sentAgain: readonly { id: string; name: string }[]): AuditDetails {
  return { tool_calls: sentAgain.map(({ id }) => id), tools: sentAgain.map(({ name }) => name) };
}

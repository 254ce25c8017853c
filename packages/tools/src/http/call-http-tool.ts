import { mayRepeat } from '@turnpike/contract';
import type { RegisteredTool, ToolCall, TurnContext, ToolOutput } from '@turnpike/contract';
import { describeFailure } from '../describe-failure.ts';
import { textOutput } from '../tool.ts';
import { composeRequest } from './compose-request.ts';
import { describeResponse } from './describe-response.ts';
import { describeNoResponse } from './describe-no-response.ts';
import type { HttpParts } from './http-parts.ts';
import { openTool } from './open-tool.ts';
import { requestHeaders } from './request-headers.ts';
import { sendCall } from './send-call.ts';
import { startTime } from './time-left.ts';

/**
 * Makes one call of a tenant's own tool, all its attempts within `timeout_ms`. The HTTP response, whatever its
 * status, is the output. Throws `OutcomeUnknownError` where the call was sent, must not be repeated and got no
 * response, `RetryableError` where its secrets are unavailable now and it was not sent, and the signal's reason.
 */
export async function callHttpTool(
  tool: RegisteredTool,
  call: ToolCall,
  context: TurnContext,
  parts: HttpParts,
): Promise<ToolOutput> {
  const { name, config } = tool;
  const { effect } = call;
  const composed = composeRequest(config, call);
  if (composed === null) {
    return textOutput(`The input is too long for the query of a ${config.method}. Nothing was sent.`, true);
  }
  // The next worker could not know that a call was not sent: so the turn is not released for it.
  const mustEndHere = effect === 'once';
  const opened = await openTool(tool, composed.url, context, mustEndHere, parts);
  if ('refusal' in opened) return textOutput(opened.refusal, true);
  const time = startTime(config.timeout_ms);

  const { method, url, body } = composed;
  const request = () => ({
    method,
    url,
    headers: { ...requestHeaders(opened, { id: call.id, body }, context), 'idempotency-key': call.id },
    ...(body === '' ? {} : { body }),
    maxResponseBytes: Math.max(config.max_output_bytes, parts.mostKeptBytes),
  });
  const sending = { origin: new URL(url).origin, request, mayRepeat: mayRepeat(effect), time };
  const sent = await sendCall(sending, context, parts);
  const { logger } = context;
  const fields = { sends: sent.sends };
  if ('response' in sent) {
    logger.debug('An HTTP tool responded.', { ...fields, status: sent.response.status });
    const hidden = opened.secrets.map((secret) => secret.reveal());
    return describeResponse(sent.response, {
      effect,
      sends: sent.sends,
      hidden,
      maxBytes: config.max_output_bytes,
    });
  }
  logger.warn('An HTTP tool did not respond.', { ...fields, ...describeFailure(sent.failure) });
  return describeNoResponse(sent.failure, { name, effect, sends: sent.sends });
}

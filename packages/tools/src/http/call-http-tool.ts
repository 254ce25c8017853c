import { mayRepeat } from '@turnpike/contract';
import type { RegisteredTool, ToolCall, ToolCallContext, ToolOutput } from '@turnpike/contract';
import { callFields } from '../call-fields.ts';
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
 * Makes one call of a tenant's own tool, all its tries within `timeout_ms`. The tool's answer, whatever
 * its status, is the output. Throws `OutcomeUnknownError` where it left, must not be repeated and got
 * no answer, `RetryableError` where its secrets cannot be had now and it did not leave, and the signal's reason.
 */
export async function callHttpTool(
  tool: RegisteredTool,
  call: ToolCall,
  context: ToolCallContext,
  parts: HttpParts,
): Promise<ToolOutput> {
  const { name, config } = tool;
  const { effect } = call;
  const composed = composeRequest(config, call);
  if (composed === null) {
    return textOutput(`The input is too long for the query of a ${config.method}. Nothing was sent.`, true);
  }
  // The next worker could not tell that one did not leave: it is answered for here, and not given back.
  const mustEndHere = effect === 'once';
  const opened = await openTool(tool, composed.url, call.id, context, mustEndHere, parts);
  if ('refusal' in opened) return textOutput(opened.refusal, true);
  const time = startTime(config.timeout_ms);

  const { method, url, body } = composed;
  const request = () => ({
    method,
    url,
    headers: { ...requestHeaders(opened, { id: call.id, body }, context), 'idempotency-key': call.id },
    ...(body === '' ? {} : { body }),
    maxResponseBytes: config.max_output_bytes,
  });
  const sending = { origin: new URL(url).origin, request, mayRepeat: mayRepeat(effect), time };
  const sent = await sendCall(sending, context, parts);
  const fields = { ...callFields(name, call.id, context), sends: sent.sends };
  if ('answer' in sent) {
    parts.logger.debug('An HTTP tool answered.', { ...fields, status: sent.answer.status });
    const hidden = opened.secrets.map((secret) => secret.reveal());
    return describeResponse(sent.answer, { effect, sends: sent.sends, hidden });
  }
  parts.logger.warn('An HTTP tool gave no answer.', { ...fields, ...describeFailure(sent.failure) });
  return describeNoResponse(sent.failure, { name, effect, sends: sent.sends });
}

import { mayRepeat, type Effect, type ToolOutput } from '@turnpike/contract';
import type { EgressResponse } from '@turnpike/egress';
import { describeBody } from '../describe-body.ts';
import { textOutput } from '../tool.ts';
import { hideSecrets } from './hide-secrets.ts';

/** An HTTP response as the model is told of it. The texts in `hidden` are removed. */
export function describeResponse(
  response: EgressResponse,
  { effect, sends, hidden }: { effect: Effect; sends: number; hidden: readonly string[] },
): ToolOutput {
  const { status, headers } = response;
  const body = describeBody(response, (text, isTruncated) => hideSecrets(text, hidden, isTruncated));
  if (status >= 200 && status < 300) {
    return textOutput(body.trim() === '' ? `[HTTP ${status}, no content]` : body);
  }
  const head = [`HTTP ${status}${sends > 1 ? `, after ${sends} tries` : ''}`];
  if (status >= 300 && status < 400) {
    head.push(
      `The tool responded with a redirect to ${headers['location'] ?? 'nowhere'}. It was not followed.`,
    );
  }
  const retryAfter = headers['retry-after'];
  if (retryAfter !== undefined) head.push(`Retry-After: ${retryAfter}`);
  if (!mayRepeat(effect) && (status < 400 || status >= 500)) {
    head.push('The call may have taken effect. Check before you repeat it.');
  }
  return textOutput(`${hideSecrets(head.join('\n'), hidden, false)}\n\n${body}`.trimEnd(), true);
}

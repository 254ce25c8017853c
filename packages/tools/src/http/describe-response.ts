import { mayRepeat, type Effect, type ToolOutput } from '@turnpike/contract';
import type { EgressResponse } from '@turnpike/egress';
import { describeBody } from '../describe-body.ts';
import { textOutput } from '../tool.ts';
import { hideSecrets } from './hide-secrets.ts';

/** An answer as the model is told of it. What `hidden` holds is shown nowhere. */
export function describeResponse(
  answer: EgressResponse,
  { effect, sends, hidden }: { effect: Effect; sends: number; hidden: readonly string[] },
): ToolOutput {
  const { status, headers } = answer;
  const body = describeBody(answer, (text, cut) => hideSecrets(text, hidden, cut));
  if (status >= 200 && status < 300) {
    return textOutput(body.trim() === '' ? `[HTTP ${status}, no content]` : body);
  }
  const head = [`HTTP ${status}${sends > 1 ? `, after ${sends} tries` : ''}`];
  if (status >= 300 && status < 400) {
    head.push(
      `The tool answered with a redirect to ${headers['location'] ?? 'nowhere'}. It was not followed.`,
    );
  }
  const retryAfter = headers['retry-after'];
  if (retryAfter !== undefined) head.push(`Retry-After: ${retryAfter}`);
  if (!mayRepeat(effect) && (status < 400 || status >= 500)) {
    head.push('The call may have taken effect. Check before you repeat it.');
  }
  return textOutput(`${hideSecrets(head.join('\n'), hidden, false)}\n\n${body}`.trimEnd(), true);
}

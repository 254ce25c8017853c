import { mayRepeat, type Effect, type OutputPart, type ToolOutput } from '@turnpike/contract';
import type { EgressResponse } from '@turnpike/egress';
import { describeBody, readText } from '../describe-body.ts';
import { textOutput } from '../tool.ts';
import { hideSecrets } from './hide-secrets.ts';

/**
 * An HTTP response as the model is told of it, with `maxBytes` of its body at most. The texts in `hidden` are removed.
 * A body that is longer, or no text, is in `overflow`.
 */
export function describeResponse(
  response: EgressResponse,
  { effect, sends, hidden, maxBytes }: Described,
): ToolOutput {
  const { status, headers } = response;
  const clean = (text: string, isTruncated: boolean): string => hideSecrets(text, hidden, isTruncated);
  const body = describeBody(beginningOf(response, maxBytes), clean);
  const overflow = overflowOf(response, hidden, maxBytes);
  if (status >= 200 && status < 300) {
    const output = textOutput(body.trim() === '' ? `[HTTP ${status}, no content]` : body);
    return overflow.length === 0 ? output : { ...output, overflow };
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

interface Described {
  effect: Effect;
  sends: number;
  hidden: readonly string[];
  /** Of the body. */
  maxBytes: number;
}

function beginningOf(response: EgressResponse, maxBytes: number): EgressResponse {
  if (response.body.byteLength <= maxBytes) return response;
  return { ...response, body: response.body.subarray(0, maxBytes), truncated: true, bodyEnd: 'size_limit' };
}

/** The whole body, where the model is shown less of it. */
function overflowOf(response: EgressResponse, hidden: readonly string[], maxBytes: number): OutputPart[] {
  const { body, headers, truncated } = response;
  const text = readText(response);
  if (text !== null) {
    if (body.byteLength <= maxBytes) return [];
    return [{ encoding: 'text', mediaType: 'text/plain', data: hideSecrets(text, hidden, truncated) }];
  }
  const bytes = Buffer.from(body);
  // From bytes, no secret can be removed.
  if (hidden.some((secret) => bytes.includes(secret))) return [];
  const [mediaType = ''] = (headers['content-type'] ?? '').split(';');
  return [{ encoding: 'base64', mediaType: mediaType.trim(), data: bytes.toString('base64') }];
}

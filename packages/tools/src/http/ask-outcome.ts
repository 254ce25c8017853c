import { OutcomeUnknownError } from '@turnpike/contract';
import type { RegisteredTool, ToolCall, TurnContext, ToolOutput } from '@turnpike/contract';
import type { EgressResponse } from '@turnpike/egress';
import { z } from 'zod';
import { describeFailure } from '../describe-failure.ts';
import { textOutput } from '../tool.ts';
import { addToQuery } from './compose-request.ts';
import { truncateBytes } from './truncate-bytes.ts';
import { hideSecrets } from './hide-secrets.ts';
import type { HttpParts } from './http-parts.ts';
import { openTool, type OpenedTool } from './open-tool.ts';
import { requestHeaders } from './request-headers.ts';
import { pause, sendCall } from './send-call.ts';
import { startTime } from './time-left.ts';

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 5_000;

const outcomeSchema = z.discriminatedUnion('status', [
  z.looseObject({
    status: z.literal('completed'),
    output: z.unknown().optional(),
    is_error: z.boolean().default(false),
  }),
  z.looseObject({ status: z.literal('not_found') }),
  z.looseObject({ status: z.literal('pending') }),
]);
type Outcome = z.infer<typeof outcomeSchema>;

/**
 * Asks a tool at its `reconcile_url` how a call ended, until it says more than `pending` or `timeout_ms` is over.
 * Null where the call never arrived.
 * Throws `OutcomeUnknownError` where it cannot tell, `RetryableError` where the secrets are unavailable now, and the
 * signal's reason.
 */
export async function askOutcome(
  tool: RegisteredTool,
  reconcileUrl: string,
  call: ToolCall,
  context: TurnContext,
  parts: HttpParts,
): Promise<ToolOutput | null> {
  const { name, config } = tool;
  const opened = await openTool(tool, reconcileUrl, context, false, parts);
  const time = startTime(config.timeout_ms);
  if ('refusal' in opened) throw unknown('secret_unavailable', `${name} was not asked. ${opened.refusal}`);
  const url = new URL(reconcileUrl);
  addToQuery(url, [['tool_call_id', call.id]]);
  const request = () => ({
    method: 'GET' as const,
    url: url.href,
    headers: requestHeaders(opened, { id: call.id, body: '' }, context),
  });
  const sending = { origin: url.origin, request, mayRepeat: true, time };

  for (let requests = 1; ; requests += 1) {
    const sent = await sendCall(sending, context, parts);
    if (!('response' in sent)) {
      context.logger.warn('A tool could not be asked how a call ended.', describeFailure(sent.failure));
      throw unknown('reconcile_failed', `${name} could not be asked how the call ended.`);
    }
    const outcome = readOutcome(sent.response);
    if (outcome === null) throw unknown('reconcile_failed', `${name} did not say how the call ended.`);
    if (outcome.status === 'not_found') return null;
    if (outcome.status === 'completed') return describeOutcome(outcome, opened, config.max_output_bytes);
    const wait = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (requests - 1)) * (0.5 + Math.random() / 2);
    if (wait >= time.ms()) throw unknown('reconcile_pending', `${name} is still working on the call.`);
    await pause(wait, context.signal);
  }
}

/** Null for an invalid response. */
function readOutcome({ status, body, truncated }: EgressResponse): Outcome | null {
  if (status < 200 || status > 299 || truncated) return null;
  try {
    const parsed = outcomeSchema.safeParse(
      JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)),
    );
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function describeOutcome(
  { output, is_error: isError }: Extract<Outcome, { status: 'completed' }>,
  opened: OpenedTool,
  maxBytes: number,
): ToolOutput {
  const text = typeof output === 'string' ? output : output === undefined ? '' : JSON.stringify(output);
  const hidden = opened.secrets.map((secret) => secret.reveal());
  const shown = truncateBytes(hideSecrets(text, hidden, false), maxBytes);
  return textOutput(shown.trim() === '' ? '[completed, no output]' : shown, isError);
}

function unknown(code: string, message: string): OutcomeUnknownError {
  return new OutcomeUnknownError(code, message);
}

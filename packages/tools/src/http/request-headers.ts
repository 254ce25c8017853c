import type { TurnContext } from '@turnpike/contract';
import { signWebhook } from '@turnpike/egress';
import type { OpenedTool } from './open-tool.ts';

/**
 * All headers of one send, signed now. Ours override configured ones, whatever the case of their names.
 */
export function requestHeaders(
  opened: OpenedTool,
  { id, body }: { id: string; body: string },
  context: TurnContext,
): Record<string, string> {
  return {
    'user-agent': 'Turnpike',
    accept: 'application/json, text/plain;q=0.9, */*;q=0.8',
    ...(body === '' ? {} : { 'content-type': 'application/json' }),
    ...opened.headers,
    ...signWebhook([opened.signingSecret], { id, nowMs: context.now(), body }),
    'turnpike-turn-id': context.turnId,
    'turnpike-session-id': context.sessionId,
  };
}

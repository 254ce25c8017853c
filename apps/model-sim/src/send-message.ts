import { ApiError, statusOfErrorType } from './api-error.ts';
import type { CallContext } from './call-context.ts';
import { messageJson } from './message-json.ts';
import type { MessagePlan } from './plan-message.ts';
import type { Pace } from './script.ts';
import { sendBrokenJson, sendCutJson, sendJson } from './send-json.ts';
import type { StreamFault } from './stream-response.ts';

/**
 * Sends a response as one JSON body, when its last token would have come. A fault that
 * would break the stream breaks the body. Throws `ApiError` for an `error_event`.
 */
export function sendMessage(
  context: CallContext,
  plan: MessagePlan,
  how: { fault: StreamFault | null; pace: Pace },
): void {
  const { simulation, ledger, call, response } = context;
  const { fault, pace } = how;
  if (fault?.type === 'error_event') {
    throw new ApiError(statusOfErrorType(fault.error_type), fault.message, { type: fault.error_type });
  }
  const send = (): void => {
    if (response.destroyed) return;
    call.status = 200;
    const body = messageJson(plan);
    if (fault?.type === 'cut') {
      ledger.move(call, 'cut');
      sendCutJson(response, body);
    } else if (fault?.type === 'malformed') {
      ledger.move(call, 'failed');
      sendBrokenJson(response, body);
    } else sendJson(response, 200, body);
  };
  if (fault?.type === 'hang') {
    ledger.move(call, 'hung');
    simulation.gate.hang(response, () => {
      ledger.move(call, 'in_flight');
      send();
    });
    return;
  }
  const speed = pace.tokens_per_second;
  const writingMs = speed === undefined ? 0 : (plan.usage.outputTokens / speed) * 1000;
  const delayMs = (pace.first_token_ms ?? 0) + writingMs;
  if (delayMs === 0) send();
  else simulation.ticker.at(performance.now() + delayMs, send);
}

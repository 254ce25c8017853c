import { createHash } from 'node:crypto';
import { ApiError, errorTypeOf } from './api-error.ts';
import { simulatedReply } from './assistant/simulated-reply.ts';
import type { CallContext } from './call-context.ts';
import { planMessage } from './plan-message.ts';
import { readFacts } from './read-facts.ts';
import { refuseRequest } from './refuse-request.ts';
import type { MessagesRequest } from './request-schema.ts';
import type { Decision } from './rulebook.ts';
import { sendMessage } from './send-message.ts';
import { StreamedResponse } from './stream-response.ts';
import type { StreamFault } from './stream-response.ts';
import { walkPrompt } from './walk-prompt.ts';
import type { Prompt } from './walk-prompt.ts';

const DEFAULT_CHUNK = 5;

/** Answers one valid call as the script says. Throws `ApiError` where the response is an error status. */
export function handleModelCall(context: CallContext, request: MessagesRequest, apiKey: string): void {
  const { simulation, ledger, call, response } = context;
  const facts = readFacts(request, apiKey);
  const prompt = walkPrompt(request);
  refuseRequest(simulation.script, request, prompt.tokens);
  simulation.containers.check(request.containerId);
  const decision = simulation.rulebook.decide(facts);
  call.fingerprint = prompt.fingerprint;
  call.rule = decision.rule;
  call.session = facts.session;
  call.turn = facts.turn;
  call.step = facts.step;

  const { fault } = decision;
  if (fault?.type === 'status') {
    const { status, error_type: type, message, headers } = fault;
    throw new ApiError(status, message ?? DEFAULT_MESSAGES[errorTypeOf(status)] ?? 'Error', {
      type,
      headers,
    });
  }
  if (fault?.type === 'hang' && fault.after_events === undefined) {
    ledger.move(call, 'hung');
    simulation.gate.hang(response, () => {
      ledger.move(call, 'in_flight');
      send(context, request, { prompt, apiKey, decision, fault: null });
    });
    return;
  }
  send(context, request, { prompt, apiKey, decision, fault });
}

const DEFAULT_MESSAGES: Record<string, string> = {
  rate_limit_error: 'This request would exceed your rate limit.',
  overloaded_error: 'Overloaded',
  api_error: 'Internal server error',
  authentication_error: 'invalid x-api-key',
  permission_error: 'Your API key does not have permission to use the specified resource.',
};

function send(
  context: CallContext,
  request: MessagesRequest,
  answer: { prompt: Prompt; apiKey: string; decision: Decision; fault: StreamFault | null },
): void {
  const { simulation, ledger, call, response } = context;
  const { prompt, decision, fault } = answer;
  const { pace } = decision;
  const cache = simulation.cache.use(
    prompt.parts,
    ownerOf(answer.apiKey),
    simulation.script.cache_minimum_tokens,
  );
  const plan = planMessage(
    request,
    decision.reply ?? simulatedReply(request),
    { tokens: prompt.tokens, cache },
    pace.chunk ?? DEFAULT_CHUNK,
    simulation.containers,
  );
  if (!request.stream) {
    sendMessage(context, plan, { fault, pace });
    return;
  }
  call.status = 200;
  new StreamedResponse(response, {
    plan,
    pace,
    fault,
    requestId: call.request_id,
    ticker: simulation.ticker,
    gate: simulation.gate,
    report: {
      sent: (events) => {
        call.events = events;
      },
      hung: () => ledger.move(call, 'hung'),
      released: () => ledger.move(call, 'in_flight'),
      ended: (outcome) => ledger.move(call, outcome),
    },
  }).start();
}

/** Whose prompt cache it is, without keeping the key. */
function ownerOf(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('base64');
}

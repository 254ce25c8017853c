import { ApiError } from '../api-error.ts';
import { simulatedReply } from '../assistant/simulated-reply.ts';
import { newSimId } from '../ids.ts';
import { messageJson } from '../message-json.ts';
import { parseMessagesRequest } from '../parse-request.ts';
import { planMessage } from '../plan-message.ts';
import { readFacts } from '../read-facts.ts';
import { refuseRequest } from '../refuse-request.ts';
import type { Simulation } from '../simulation.ts';
import { walkPrompt } from '../walk-prompt.ts';

const CHUNK = 5;

/**
 * The answer to one request of a batch, in the ledger as any call: the rules of the script count for it, though it has no
 * stream to break. Throws `ApiError`.
 */
export function answerRequest(
  simulation: Simulation,
  params: unknown,
  { apiKey, version, betas }: { apiKey: string; version: string; betas: string[] },
): object {
  const { ledger, script, rulebook, containers, cache } = simulation;
  const call = ledger.begin(newSimId('req'));
  try {
    const request = parseMessagesRequest(params, { version, betas });
    const prompt = walkPrompt(request);
    const facts = readFacts(request, apiKey);
    refuseRequest(script, request, prompt.tokens);
    const decision = rulebook.decide(facts);
    Object.assign(call, {
      fingerprint: prompt.fingerprint,
      model: request.model,
      messages: request.messages.length,
      rule: decision.rule,
      session: facts.session,
      turn: facts.turn,
      step: facts.step,
      status: 200,
    });
    const { fault } = decision;
    if (fault?.type === 'status') throw new ApiError(fault.status, fault.message ?? 'Error');
    const used = cache.use(prompt.parts, apiKey, script.cache_minimum_tokens);
    const reply = decision.reply ?? simulatedReply(request);
    const plan = planMessage(request, reply, { tokens: prompt.tokens, cache: used }, CHUNK, containers);
    ledger.move(call, 'completed');
    return messageJson(plan);
  } catch (error) {
    ledger.move(call, 'failed');
    throw error;
  }
}

import type { Model } from '@turnpike/agent';
import { ModelError, TurnpikeError, type ModelCall, type ModelResponse } from '@turnpike/contract';
import type { Span, Tracing } from '@turnpike/telemetry';
import type { TurnMetrics } from './turn-metrics.ts';

/** The same model; its calls are counted, and traced by the GenAI conventions of OpenTelemetry. */
export function watchModel(
  model: Model,
  { metrics, tracing }: { metrics: TurnMetrics; tracing: Tracing },
): Model {
  return {
    mostCost: (request) => model.mostCost(request),
    async takeBatched(call) {
      const response = (await model.takeBatched?.(call)) ?? null;
      if (response === null) return null;
      const label = metrics.modelLabel(call.request.agent.model);
      countUsage(metrics, label, response);
      metrics.modelCalls.inc({ model: label, outcome: 'batch' });
      return response;
    },
    countTokens: async (count) => (await model.countTokens?.(count)) ?? null,
    async call(call) {
      const { agent } = call.request;
      const span = startSpan(tracing, call);
      const label = metrics.modelLabel(agent.model);
      const began = performance.now();
      const seconds = (): number => (performance.now() - began) / 1000;
      let hasText = false;
      call.events
        .on('text', () => {
          if (!hasText) metrics.firstToken.observe({ model: label }, seconds());
          hasText = true;
        })
        .on('interrupted', (usage) => countUsage(metrics, label, usage));
      try {
        const response = await model.call(call);
        countUsage(metrics, label, response);
        countCall(metrics, label, 'ok', response.attempts, call);
        describeResponse(span, response);
        span.end();
        return response;
      } catch (error) {
        const outcome = error instanceof TurnpikeError ? error.code : 'internal_error';
        const attempts = error instanceof ModelError ? error.attempts : call.previousAttempts;
        countCall(metrics, label, outcome, attempts, call);
        span.set({ 'turnpike.model.attempts': attempts - call.previousAttempts });
        span.end(outcome);
        throw error;
      } finally {
        metrics.modelSeconds.observe({ model: label }, seconds());
      }
    },
  };
}

function startSpan(tracing: Tracing, { turn, request: { agent } }: ModelCall): Span {
  return tracing.start(`chat ${agent.model}`, {
    kind: 'client',
    parent: turn.traceparent,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': agent.model,
      'gen_ai.request.max_tokens': agent.max_tokens,
      'gen_ai.request.stream': true,
      'gen_ai.conversation.id': turn.sessionId,
      'turnpike.turn.id': turn.turnId,
    },
  });
}

/** The first request of a step is no retry; the first of a later lease is one. */
function countCall(
  metrics: TurnMetrics,
  model: string,
  outcome: string,
  attempts: number,
  { previousAttempts }: ModelCall,
): void {
  metrics.modelCalls.inc({ model, outcome });
  const requests = attempts - previousAttempts;
  const retries = previousAttempts > 0 ? requests : requests - 1;
  if (retries > 0) metrics.modelRetries.inc({ model }, retries);
}

function countUsage(
  metrics: TurnMetrics,
  model: string,
  { usage, costMicros }: Pick<ModelResponse, 'usage' | 'costMicros'>,
): void {
  metrics.tokens.inc({ model, direction: 'input' }, usage.input_tokens);
  metrics.tokens.inc({ model, direction: 'output' }, usage.output_tokens);
  metrics.tokens.inc({ model, direction: 'cache_creation' }, usage.cache_creation_input_tokens);
  metrics.tokens.inc({ model, direction: 'cache_read' }, usage.cache_read_input_tokens);
  metrics.cost.inc({ model }, costMicros / 1_000_000);
}

function describeResponse(span: Span, { usage, ...response }: ModelResponse): void {
  const { cache_creation_input_tokens: created, cache_read_input_tokens: read } = usage;
  span.set({
    'gen_ai.response.model': response.model,
    'gen_ai.response.finish_reasons': [response.stopReason],
    // The conventions count cached tokens too, which Anthropic counts separately.
    'gen_ai.usage.input_tokens': usage.input_tokens + created + read,
    'gen_ai.usage.output_tokens': usage.output_tokens,
    'gen_ai.usage.cache_creation.input_tokens': created,
    'gen_ai.usage.cache_read.input_tokens': read,
    'turnpike.model.attempts': response.attempts,
    'turnpike.model.provider_request_id': response.providerRequestId ?? undefined,
    'turnpike.model.cost_micros': response.costMicros,
  });
}

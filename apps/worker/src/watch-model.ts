import type { Model } from '@turnpike/agent';
import {
  ModelError,
  TurnpikeError,
  type InterruptedCall,
  type ModelResponse,
  type ModelCallOptions,
} from '@turnpike/contract';
import type { Span, Tracing } from '@turnpike/telemetry';
import type { TurnMetrics } from './turn-metrics.ts';

/** The model of one turn, its calls counted and traced by the GenAI conventions of OpenTelemetry. */
export function watchModel(
  model: Model,
  { metrics, tracing, traceparent }: { metrics: TurnMetrics; tracing: Tracing; traceparent: string | null },
): Model {
  return {
    mostCost: (request) => model.mostCost(request),
    async call(request, options) {
      const span = tracing.start(`chat ${request.agent.model}`, {
        kind: 'client',
        parent: traceparent,
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'anthropic',
          'gen_ai.request.model': request.agent.model,
          'gen_ai.request.max_tokens': request.agent.max_tokens,
          'gen_ai.request.stream': true,
          'gen_ai.conversation.id': request.sessionId,
          'turnpike.turn.id': request.turnId,
        },
      });
      const label = metrics.modelLabel(request.agent.model);
      const began = performance.now();
      const seconds = (): number => (performance.now() - began) / 1000;
      let hasText = false;
      const onText = (text: string): void => {
        if (!hasText) metrics.firstToken.observe({ model: label }, seconds());
        hasText = true;
        options.onText(text);
      };
      const onInterrupted = (cut: InterruptedCall): Promise<void> => {
        countSpent(metrics, label, cut);
        return options.onInterrupted(cut);
      };
      try {
        const answer = await model.call(request, { ...options, onText, onInterrupted });
        countSpent(metrics, label, answer);
        countCall(metrics, label, 'ok', answer.attempts - options.previousAttempts, options);
        describeResponse(span, answer);
        span.end();
        return answer;
      } catch (error) {
        const outcome = error instanceof TurnpikeError ? error.code : 'internal_error';
        const attempts = error instanceof ModelError ? error.attempts - options.previousAttempts : 0;
        countCall(metrics, label, outcome, attempts, options);
        span.set({ 'turnpike.model.attempts': attempts });
        span.end(outcome);
        throw error;
      } finally {
        metrics.modelSeconds.observe({ model: label }, seconds());
      }
    },
  };
}

/** The first request of a step is none of its retries; the first of a later lease is. */
function countCall(
  metrics: TurnMetrics,
  model: string,
  outcome: string,
  requests: number,
  { previousAttempts }: ModelCallOptions,
): void {
  metrics.modelCalls.inc({ model, outcome });
  const retries = previousAttempts > 0 ? requests : requests - 1;
  if (retries > 0) metrics.modelRetries.inc({ model }, retries);
}

function countSpent(
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

function describeResponse(span: Span, { usage, ...answer }: ModelResponse): void {
  const { cache_creation_input_tokens: created, cache_read_input_tokens: read } = usage;
  span.set({
    'gen_ai.response.model': answer.model,
    'gen_ai.response.finish_reasons': [answer.stopReason],
    // The conventions count cached tokens too, which Anthropic tells apart.
    'gen_ai.usage.input_tokens': usage.input_tokens + created + read,
    'gen_ai.usage.output_tokens': usage.output_tokens,
    'gen_ai.usage.cache_creation.input_tokens': created,
    'gen_ai.usage.cache_read.input_tokens': read,
    'turnpike.model.attempts': answer.attempts,
    'turnpike.model.provider_request_id': answer.providerRequestId ?? undefined,
    'turnpike.model.cost_micros': answer.costMicros,
  });
}

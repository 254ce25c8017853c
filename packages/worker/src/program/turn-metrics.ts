import { boundedNames, type Metrics } from '@turnpike/telemetry';

const MOST_MODELS = 50;

/** What a worker counts of its turns. Tenants choose the names of models: the first 50 have a label of their own. */
export function createTurnMetrics(metrics: Metrics) {
  return {
    modelLabel: boundedNames(MOST_MODELS),
    dispatches: metrics.histogram('turnpike_turn_dispatch_duration_seconds'),
    turns: metrics.histogram('turnpike_turn_duration_seconds'),
    steps: metrics.counter('turnpike_steps_total'),
    modelCalls: metrics.counter('turnpike_model_calls_total'),
    modelRetries: metrics.counter('turnpike_model_retries_total'),
    modelRetriesRefused: metrics.counter('turnpike_model_retries_refused_total'),
    modelSeconds: metrics.histogram('turnpike_model_call_duration_seconds'),
    firstToken: metrics.histogram('turnpike_model_time_to_first_token_seconds'),
    tokens: metrics.counter('turnpike_model_tokens_total'),
    cost: metrics.counter('turnpike_model_cost_dollars_total'),
    toolCalls: metrics.counter('turnpike_tool_calls_total'),
    toolSeconds: metrics.histogram('turnpike_tool_call_duration_seconds'),
  };
}

export type TurnMetrics = ReturnType<typeof createTurnMetrics>;

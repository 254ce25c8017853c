import { boundedNames, type Metrics } from '@turnpike/telemetry';

const MOST_MODELS = 50;
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** What a worker counts of the turns that it runs. Models are named by whoever makes agents: the first 50 are told apart. */
export function createTurnMetrics(metrics: Metrics) {
  return {
    modelLabel: boundedNames(MOST_MODELS),
    dispatches: metrics.histogram(
      'turnpike_turn_dispatch_duration_seconds',
      'From the submission of a turn, or its run_at, to its first claim by a worker.',
      [],
      [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    ),
    turns: metrics.histogram(
      'turnpike_turn_duration_seconds',
      'From the submission of a turn, or its run_at, to its end under a lease, by its final status.',
      ['status'],
      [...SECONDS, 1800, 3600, 21_600],
    ),
    steps: metrics.counter('turnpike_steps_total', 'Steps that were committed, by type.', ['type']),
    modelCalls: metrics.counter(
      'turnpike_model_calls_total',
      'Model calls by model and outcome: ok, or the code of the error that ended the call.',
      ['model', 'outcome'],
    ),
    modelRetries: metrics.counter(
      'turnpike_model_retries_total',
      'Requests to the model that followed on one that failed.',
      ['model'],
    ),
    modelRetriesRefused: metrics.counter(
      'turnpike_model_retries_refused_total',
      'Retries that the retry budget did not grant; their turns wait.',
      [],
    ),
    modelSeconds: metrics.histogram(
      'turnpike_model_call_duration_seconds',
      'Model calls with their retries, by model, however they ended.',
      ['model'],
      SECONDS,
    ),
    firstToken: metrics.histogram(
      'turnpike_model_time_to_first_token_seconds',
      'From a model call, retries included, to the first text of its answer; answers without text are left out.',
      ['model'],
      [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60],
    ),
    tokens: metrics.counter(
      'turnpike_model_tokens_total',
      'Tokens of answered model calls: input (not cached), output, cache_creation, cache_read.',
      ['model', 'direction'],
    ),
    cost: metrics.counter(
      'turnpike_model_cost_dollars_total',
      'What answered model calls cost by the price table, in US dollars.',
      ['model'],
    ),
    toolCalls: metrics.counter(
      'turnpike_tool_calls_total',
      'Tool calls by kind and outcome: ok, error (the model is told), unknown, stopped (with its turn).',
      ['kind', 'outcome'],
    ),
    toolSeconds: metrics.histogram(
      'turnpike_tool_call_duration_seconds',
      'Tool calls by kind, their repetitions included.',
      ['kind'],
      SECONDS,
    ),
  };
}

export type TurnMetrics = ReturnType<typeof createTurnMetrics>;

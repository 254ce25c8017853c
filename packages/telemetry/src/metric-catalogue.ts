/** Upper bounds in seconds, for what usually takes milliseconds and may take minutes. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] as const;

/**
 * Every metric of Turnpike, by name: its type, its help text, its labels, the upper bounds of a histogram, and the
 * programs that have it. Labels are few and bounded: never an id. `docs/reference/metrics.md` is written from this.
 */
export const METRICS = {
  turnpike_http_request_duration_seconds: {
    type: 'histogram',
    help: 'HTTP requests by route, method and status class, long polls included.',
    labels: ['route', 'method', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    programs: ['api'],
  },
  turnpike_turn_accept_duration_seconds: {
    type: 'histogram',
    help: 'From a submission to its 202; the turn is stored by then.',
    labels: [],
    buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    programs: ['api'],
  },
  turnpike_long_polls: {
    type: 'gauge',
    help: 'Clients that wait for a turn now.',
    labels: [],
    programs: ['api'],
  },
  turnpike_event_streams: {
    type: 'gauge',
    help: 'Event streams that are open now.',
    labels: [],
    programs: ['api'],
  },
  turnpike_body_bytes: {
    type: 'gauge',
    help: 'Bytes of request bodies that are held now.',
    labels: [],
    programs: ['api'],
  },
  turnpike_turns_waiting: {
    type: 'gauge',
    help: 'Waiting turns of all tenants, counted up to 100,000 each: ready (for a slot of the tenant), dispatched (for a worker), delayed (for a time).',
    labels: ['state'],
    programs: ['api'],
  },
  turnpike_turns_oldest_waiting_seconds: {
    type: 'gauge',
    help: 'How long the oldest turn has waited, by state: ready or dispatched.',
    labels: ['state'],
    programs: ['api'],
  },
  turnpike_pool_oldest_waiting_seconds: {
    type: 'gauge',
    help: 'How long the oldest turn has waited that lacks a worker of its pool: dispatched and not claimed, or without a live worker that has its tools. For autoscaling.',
    labels: ['pool'],
    programs: ['api'],
  },
  turnpike_turns_waiting_for_tool: {
    type: 'gauge',
    help: 'Turns that no live worker of their pool has the tools for, by pool, up to 100,000 in all. No value: none.',
    labels: ['pool'],
    programs: ['api'],
  },
  turnpike_turns_oldest_waiting_for_tool_seconds: {
    type: 'gauge',
    help: 'How long the oldest turn has waited for a worker with its tools, by pool. No value: none waits.',
    labels: ['pool'],
    programs: ['api'],
  },
  turnpike_queue_waiting: {
    type: 'gauge',
    help: 'Jobs that wait in a queue: turns or deliveries.',
    labels: ['queue'],
    programs: ['api'],
  },
  turnpike_queue_active: {
    type: 'gauge',
    help: 'Jobs that workers hold, by queue. A turn may outlast its job: leases_held counts turns.',
    labels: ['queue'],
    programs: ['api'],
  },
  turnpike_turn_dispatch_duration_seconds: {
    type: 'histogram',
    help: 'From the submission of a turn, or its run_at, to its first claim by a worker.',
    labels: [],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    programs: ['worker'],
  },
  turnpike_turn_duration_seconds: {
    type: 'histogram',
    help: 'From the submission of a turn, or its run_at, to its end under a lease, by final status.',
    labels: ['status'],
    buckets: [...SECONDS, 1800, 3600, 21_600],
    programs: ['worker'],
  },
  turnpike_turns_released_total: {
    type: 'counter',
    help: 'Turns that a worker finished or released, by the status they had then.',
    labels: ['status'],
    programs: ['worker'],
  },
  turnpike_leases_held: {
    type: 'gauge',
    help: 'Turns that this worker runs now.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_leases_lost_total: {
    type: 'counter',
    help: 'Leases that a worker lost before it was done.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_reconciler_repairs_total: {
    type: 'counter',
    help: 'Repairs of the reconciler, by kind.',
    labels: ['kind'],
    programs: ['api', 'worker'],
  },
  turnpike_lagging_reads_total: {
    type: 'counter',
    help: 'Reads that may be some seconds old, by where they were made: the replica of DATABASE_READ_URL, or the primary, while the replica is away or too far behind.',
    labels: ['source'],
    programs: ['api'],
  },
  turnpike_batch_lines_total: {
    type: 'counter',
    help: 'Lines of batches that became turns (started), those whose turn has ended, by its status, and those that were refused.',
    labels: ['outcome'],
    programs: ['api', 'worker'],
  },
  turnpike_schedule_ticks_total: {
    type: 'counter',
    help: 'Ticks of schedules by what became of them: started, skipped, refused or missed.',
    labels: ['outcome'],
    programs: ['api', 'worker'],
  },
  turnpike_schedule_delay_seconds: {
    type: 'histogram',
    help: 'From the time at which a tick was due to the commit of its turn.',
    labels: [],
    buckets: SECONDS,
    programs: ['api', 'worker'],
  },
  turnpike_steps_total: {
    type: 'counter',
    help: 'Committed steps, by type.',
    labels: ['type'],
    programs: ['worker'],
  },
  turnpike_model_calls_total: {
    type: 'counter',
    help: 'Model calls by model and outcome: ok, or the code of the error that ended the call.',
    labels: ['model', 'outcome'],
    programs: ['worker'],
  },
  turnpike_model_retries_total: {
    type: 'counter',
    help: 'Retries of failed model requests.',
    labels: ['model'],
    programs: ['worker'],
  },
  turnpike_model_retries_refused_total: {
    type: 'counter',
    help: 'Retries that the retry budget refused; their turns wait.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_model_batches_total: {
    type: 'counter',
    help: 'Submissions of batches of model calls, by how they ended; found: of one that was interrupted.',
    labels: ['outcome'],
    programs: ['worker'],
  },
  turnpike_model_breakers_open: {
    type: 'gauge',
    help: 'Circuit breakers of models that are open or half-open now.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_model_call_duration_seconds: {
    type: 'histogram',
    help: 'Model calls with their retries, by model, whatever their outcome.',
    labels: ['model'],
    buckets: SECONDS,
    programs: ['worker'],
  },
  turnpike_model_time_to_first_token_seconds: {
    type: 'histogram',
    help: 'From a model call, retries included, to the first text of its response; responses without text are left out.',
    labels: ['model'],
    buckets: [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60],
    programs: ['worker'],
  },
  turnpike_model_tokens_total: {
    type: 'counter',
    help: 'Tokens of model calls by direction: input (not cached), output, cache_creation, cache_read.',
    labels: ['model', 'direction'],
    programs: ['worker'],
  },
  turnpike_model_cost_dollars_total: {
    type: 'counter',
    help: 'Cost of model calls by the price table, in US dollars.',
    labels: ['model'],
    programs: ['worker'],
  },
  turnpike_tool_calls_total: {
    type: 'counter',
    help: 'Tool calls by kind and outcome: ok, error (the model reads it), unknown, stopped (with its turn). Kind none: the agent has no tool of that name.',
    labels: ['kind', 'outcome'],
    programs: ['worker'],
  },
  turnpike_tool_call_duration_seconds: {
    type: 'histogram',
    help: 'Tool calls by kind, retries included.',
    labels: ['kind'],
    buckets: SECONDS,
    programs: ['worker'],
  },
  turnpike_tool_breakers_open: {
    type: 'gauge',
    help: 'Circuit breakers of tool origins that are open or half-open now.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_event_loop_holds_total: {
    type: 'counter',
    help: 'Times that code held the event loop of a worker for a second or more, by the tool in code that did. Tool none: something else. Isolate such a tool.',
    labels: ['tool'],
    programs: ['worker'],
  },
  turnpike_webhook_attempts_total: {
    type: 'counter',
    help: 'Webhook attempts by what became of the delivery; held_back: the circuit breaker of its receiver was open.',
    labels: ['outcome'],
    programs: ['worker'],
  },
  turnpike_webhook_deliveries_due: {
    type: 'gauge',
    help: 'Webhook deliveries that are due, of all workers.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_webhook_oldest_due_seconds: {
    type: 'gauge',
    help: 'How long the oldest webhook delivery has been due.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_webhook_breakers_open: {
    type: 'gauge',
    help: 'Circuit breakers of webhook receivers that are open or half-open now, of all workers.',
    labels: [],
    programs: ['worker'],
  },
  turnpike_database_connections: {
    type: 'gauge',
    help: 'Connections of the database pool, by state: used or idle.',
    labels: ['state'],
    programs: ['api', 'worker'],
  },
  turnpike_database_waiting: {
    type: 'gauge',
    help: 'Callers that wait for a connection of the database pool.',
    labels: [],
    programs: ['api', 'worker'],
  },
} as const;

export type MetricName = keyof typeof METRICS;
type MetricType = (typeof METRICS)[MetricName]['type'];

/** The metrics of one type. */
export type NameOf<Type extends MetricType> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];
/** The labels of a metric. */
export type LabelOf<Name extends MetricName> = (typeof METRICS)[Name]['labels'][number];
/** The gauges with a label, and those without. */
export type LabelledGauge = {
  [Name in NameOf<'gauge'>]: (typeof METRICS)[Name]['labels'] extends readonly [] ? never : Name;
}[NameOf<'gauge'>];
export type PlainGauge = Exclude<NameOf<'gauge'>, LabelledGauge>;

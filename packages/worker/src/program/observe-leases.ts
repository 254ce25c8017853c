import type { InterruptedCall, TurnStatus, TypedEmitter } from '@turnpike/contract';
import { traceIdOf, type Logger, type LogFields, type Span, type Tracing } from '@turnpike/telemetry';
import type { Lease, LeaseEvents } from '@turnpike/turns';

/** What the work under one lease logs and traces with. */
export interface LeaseObservation {
  /** Its every line names the turn, the tenant, the session, the epoch and the trace. */
  logger: Logger;
  span: Span;
}

/** Logs and traces what happens to leases: a span for each, from its claim to its end. */
export class LeaseObserver {
  readonly #logger: Logger;
  readonly #tracing: Tracing;
  readonly #workerId: string;
  readonly #observations = new WeakMap<Lease, LeaseObservation>();

  constructor(
    events: TypedEmitter<LeaseEvents>,
    { logger, tracing, workerId }: { logger: Logger; tracing: Tracing; workerId: string },
  ) {
    this.#logger = logger;
    this.#tracing = tracing;
    this.#workerId = workerId;
    events
      .on('claimed', (lease) => this.of(lease).logger.debug('Turn claimed.'))
      .on('usageLost', (lease, call, error) => this.#usageLost(lease, call, error))
      .on('ended', (lease, status) => this.#ended(lease, status));
  }

  of(lease: Lease): LeaseObservation {
    const known = this.#observations.get(lease);
    if (known !== undefined) return known;
    const span = this.#startSpan(lease);
    const observation = { logger: this.#logger.child(fieldsOf(lease, span)), span };
    this.#observations.set(lease, observation);
    return observation;
  }

  /** One for each lease: a turn that another worker continues has several of them in its trace. */
  #startSpan({ turn }: Lease): Span {
    return this.#tracing.start('invoke_agent', {
      kind: 'consumer',
      parent: turn.traceparent,
      attributes: {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.agent.id': turn.agentId,
        'gen_ai.conversation.id': turn.sessionId,
        'gen_ai.request.model': turn.agent.model,
        ...(turn.overridden.length === 0 ? {} : { 'turnpike.turn.overrides': turn.overridden }),
        'turnpike.turn.id': turn.id,
        'turnpike.turn.epoch': turn.epoch,
        'turnpike.turn.since_accepted_ms': Math.round(turn.claimedAt - turn.acceptedAt),
        'turnpike.tenant.id': turn.tenantId,
        'turnpike.worker.id': this.#workerId,
      },
    });
  }

  #usageLost(lease: Lease, { id, model, usage, costMicros }: InterruptedCall, error: unknown): void {
    const fields = { ...usage, step_id: id, model, cost_micros: costMicros, error };
    this.of(lease).logger.error('The usage of a model call may be missing from the ledger.', fields);
  }

  #ended(lease: Lease, status: TurnStatus | null): void {
    const { logger, span } = this.of(lease);
    if (status === null) {
      span.end('lease_lost');
      return;
    }
    const error = lease.outcome?.error ?? null;
    span.set({ 'turnpike.turn.status': status });
    span.end(error?.code);
    if (error === null) logger.info('Turn released.', { status });
    else logger.warn('Turn released.', { status, error_code: error.code, retry_status: error.retry_status });
  }
}

function fieldsOf({ turn }: Lease, span: Span): LogFields {
  const { id, tenantId, sessionId, epoch } = turn;
  const ids = { turn_id: id, tenant_id: tenantId, session_id: sessionId, epoch };
  const trace = traceIdOf(span.traceparent);
  return trace === undefined ? ids : { ...ids, trace_id: trace };
}

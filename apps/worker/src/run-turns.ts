import { setTimeout as delay } from 'node:timers/promises';
import { runTurn, type Model, type ToolRunner } from '@turnpike/agent';
import type { Backplane, JobConsumer, TurnJob } from '@turnpike/backplane';
import { DrainError, isFinal, isSettled, LeaseLostError, type TurnStatus } from '@turnpike/contract';
import { endOutage, type Database } from '@turnpike/store';
import {
  reportSparingly,
  traceIdOf,
  type Logger,
  type Metrics,
  type Report,
  type Span,
  type Tracing,
} from '@turnpike/telemetry';
import { announceTurns, type Dispatcher, type Lease, LeaseKeeper } from '@turnpike/turns';
import { noticeReturn } from './notice-return.ts';
import type { TurnMetrics } from './turn-metrics.ts';
import { watchModel } from './watch-model.ts';
import { watchTools } from './watch-tools.ts';

export interface TurnRunnerParts {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
  model: Model;
  tools: ToolRunner;
  logger: Logger;
  metrics: Metrics;
  turnMetrics: TurnMetrics;
  tracing: Tracing;
  workerId: string;
  concurrency: number;
  leaseMs: number;
}

/** This part of the time to drain is given to steps that are about to finish by themselves. */
const GRACE_SHARE = 0.5;
/** Left at the end for what was told to stop to say so in the database. */
const GOODBYE_MS = 1_000;
const LOOK_EVERY_MS = 20;
/** They share statements. A worker that takes many more before it claims the first lets that one wait. */
const CLAIMS_AT_ONCE = 64;
/** Turns that one which was answered lets run, of those that wait for the same model. */
const LET_RUN = 10;

/** Takes turns off the queue and runs them, each under a lease of its own. */
export class TurnRunner {
  readonly #parts: TurnRunnerParts;
  readonly #warn: Report;
  readonly #keeper: LeaseKeeper;
  readonly #consumer: JobConsumer;
  /** Of the leases that are held. */
  readonly #spans = new WeakMap<Lease, Span>();
  #draining = false;

  constructor(parts: TurnRunnerParts) {
    this.#parts = parts;
    this.#warn = reportSparingly((message, fields) => parts.logger.warn(message, fields));
    this.#keeper = new LeaseKeeper({
      database: parts.database,
      workerId: parts.workerId,
      concurrency: parts.concurrency,
      leaseMs: parts.leaseMs,
      onEnd: (lease, status) => this.#leaseEnded(lease, status),
      onCapacity: (tenantId) => parts.dispatcher.changed({ tenantId }),
      onUpdate: ({ turn }, news) => {
        const about = { sessionId: turn.sessionId, turnId: turn.id };
        if ('text' in news) parts.backplane.live.show({ ...about, ...news });
        else parts.backplane.live.changed({ ...about, ...news });
      },
      onStep: (_lease, { type }) => parts.turnMetrics.steps.inc({ type }),
      onUsageLost: (lease, { id, model, usage, costMicros }, error) =>
        parts.logger.error('What a model call cost may not be in the ledger.', {
          ...this.#fieldsOf(lease),
          ...usage,
          step_id: id,
          model,
          cost_micros: costMicros,
          error,
        }),
      onError: this.#warn('A heartbeat failed.'),
    });
    this.#consumer = parts.backplane.consume({
      concurrency: parts.concurrency,
      takenAtOnce: CLAIMS_AT_ONCE,
      run: (job, taken) => this.#run(job, taken),
      onError: this.#warn('A job could not be worked on.'),
    });
  }

  /** Turns that are run here now. */
  get held(): number {
    return this.#keeper.held.length;
  }

  /** A turn was asked to cancel: if it runs here, it stops now, and not with its next heartbeat. */
  cancel(turnId: string): void {
    this.#keeper.cancel(turnId);
  }

  /**
   * Takes nothing new; lets steps that are about to finish finish, then gives the rest back, all
   * within `drainMs`. What is still held after that is found by the next worker as after a crash.
   */
  async drain(drainMs: number): Promise<void> {
    this.#draining = true;
    await this.#consumer.pause();
    const gone = this.#keeper.leave();
    for (const lease of this.#keeper.held) lease.drain();
    await this.#untilIdle(drainMs * GRACE_SHARE);
    for (const lease of this.#keeper.held) lease.stop(new DrainError());
    await this.#untilIdle(Math.max(0, drainMs * (1 - GRACE_SHARE) - GOODBYE_MS));
    const left = this.#keeper.held.length;
    if (left > 0) this.#parts.logger.warn('Some turns did not stop in time.', { turns: left });
    await gone;
    this.#keeper.close();
    await this.#consumer.close(GOODBYE_MS);
  }

  async #run(job: TurnJob, taken: () => void): Promise<void> {
    // Its turn stays queued, and the reconciler jobs it again for somebody who stays.
    if (this.#draining) return;
    const lease = await this.#claim(job);
    if (lease === null) return;
    // From here on the lease stands for the turn.
    taken();
    const span = this.#startSpan(lease);
    this.#spans.set(lease, span);
    const logger = this.#parts.logger.child(this.#fieldsOf(lease));
    logger.debug('Turn taken.');
    if (this.#draining) lease.drain();
    try {
      const { model, tools, turnMetrics: metrics, tracing } = this.#parts;
      const watched = { metrics, tracing, traceparent: span.traceparent };
      await runTurn(lease, {
        model: this.#noticing(lease, watchModel(model, watched)),
        tools: watchTools(tools, watched),
      });
    } catch (error) {
      if (error instanceof LeaseLostError)
        logger.warn('The lease was lost; nothing more is done for the turn.');
      else
        logger.error('The turn was left as it is; another worker takes it when the lease ends.', { error });
      lease.lose(error);
    }
  }

  #noticing(lease: Lease, model: Model): Model {
    const { outage } = lease.turn;
    return outage === null ? model : noticeReturn(model, () => void this.#endOutage(lease, outage));
  }

  /** A turn that waited for a model which is back lets others run. Where that fails, the next probe does. */
  async #endOutage(lease: Lease, id: string): Promise<void> {
    const { database, dispatcher, logger } = this.#parts;
    const { tenantId } = lease.turn;
    try {
      const turns = await endOutage(database.pool, { tenantId, id }, LET_RUN);
      if (turns > 0) dispatcher.changed({ tenantId });
    } catch (error) {
      logger.warn('Turns that wait for the model are let run later.', { ...this.#fieldsOf(lease), error });
    }
  }

  /** What goes wrong here is known by its job alone. */
  async #claim(job: TurnJob): Promise<Lease | null> {
    try {
      return await this.#keeper.claim(job);
    } catch (error) {
      const warn = this.#warn('A turn could not be claimed; it will be enqueued again.');
      warn(error, { turn_id: job.turnId, epoch: job.epoch });
      return null;
    }
  }

  /** One for each lease: a turn that another worker goes on with has more of them in its trace. */
  #startSpan({ turn }: Lease): Span {
    const waitedMs = turn.claimedAt - turn.acceptedAt;
    if (turn.attempts === 1) this.#parts.turnMetrics.dispatches.observe(Math.max(0, waitedMs) / 1000);
    return this.#parts.tracing.start('invoke_agent', {
      kind: 'consumer',
      parent: turn.traceparent,
      attributes: {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.agent.id': turn.agentId,
        'gen_ai.conversation.id': turn.sessionId,
        'gen_ai.request.model': turn.agent.model,
        'turnpike.turn.id': turn.id,
        'turnpike.turn.epoch': turn.epoch,
        'turnpike.turn.since_accepted_ms': Math.round(waitedMs),
        'turnpike.tenant.id': turn.tenantId,
        'turnpike.worker.id': this.#parts.workerId,
      },
    });
  }

  #fieldsOf(lease: Lease): Record<string, unknown> {
    const { id, tenantId, sessionId, epoch } = lease.turn;
    const trace = traceIdOf(this.#spans.get(lease)?.traceparent ?? null);
    const ids = { turn_id: id, tenant_id: tenantId, session_id: sessionId, epoch };
    return trace === undefined ? ids : { ...ids, trace_id: trace };
  }

  #leaseEnded(lease: Lease, status: TurnStatus | null): void {
    const { metrics, turnMetrics } = this.#parts;
    const span = this.#spans.get(lease);
    this.#parts.backplane.live.forget(lease.turn.id);
    if (status === null) {
      metrics.leasesLost.inc();
      span?.end('lease_lost');
      return;
    }
    metrics.turnsReleased.inc({ status });
    if (isFinal(status)) {
      const lastedMs = lease.now() - lease.turn.acceptedAt;
      turnMetrics.turns.observe({ status }, Math.max(0, lastedMs) / 1000);
    }
    const { id, sessionId, tenantId } = lease.turn;
    const { backplane, dispatcher, logger } = this.#parts;
    const fields = { ...this.#fieldsOf(lease), status };
    const error = lease.outcome?.error ?? null;
    span?.set({ 'turnpike.turn.status': status });
    span?.end(error?.code);
    if (error === null) logger.info('Turn left.', fields);
    else logger.warn('Turn left.', { ...fields, error_code: error.code, retry_status: error.retry_status });
    dispatcher.changed({ sessionId, tenantId });
    if (!isSettled(status)) return;
    announceTurns(backplane, [{ turn_id: id, status }]).catch((reason: unknown) => {
      logger.warn('An end could not be announced; waiting clients learn of it later.', {
        ...fields,
        error: reason,
      });
    });
  }

  async #untilIdle(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (this.#keeper.held.length > 0 && performance.now() < end) await delay(LOOK_EVERY_MS);
  }
}

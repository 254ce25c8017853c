import { setTimeout as delay } from 'node:timers/promises';
import { runTurn, type Model, type OutputValidator, type ToolRunner } from '@turnpike/agent';
import type { Backplane, HandedJob, JobConsumer, SlotOffers, TurnJob } from '@turnpike/backplane';
import { DEFAULT_POOL, DrainError, LeaseLostError } from '@turnpike/contract';
import { endOutage, takeBackTurn, type Capability, type Database } from '@turnpike/store';
import { reportSparingly, type Logger, type Metrics, type Report, type Tracing } from '@turnpike/telemetry';
import { giveBack, LeaseKeeper, type Dispatcher, type Lease } from '@turnpike/turns';
import { countLeases } from './count-leases.ts';
import { logModelContents, logToolContents } from './log-contents.ts';
import { noticeReturn } from './notice-return.ts';
import { LeaseObserver } from './observe-leases.ts';
import { publishLeases } from './publish-leases.ts';
import type { TurnMetrics } from './turn-metrics.ts';
import { watchModel } from './watch-model.ts';
import { watchTools } from './watch-tools.ts';

export interface TurnRunnerParts {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
  model: Model;
  tools: ToolRunner;
  outputs: OutputValidator;
  /** Whether an operator lets the contents of this tenant's turns be logged, as of now. */
  logsContent: (tenantId: string) => boolean;
  logger: Logger;
  metrics: Metrics;
  turnMetrics: TurnMetrics;
  tracing: Tracing;
  workerId: string;
  concurrency: number;
  leaseMs: number;
  /** What it can run; it consumes that queue. */
  runs: Capability;
  /** The id of what it announced in detail. */
  build: string;
}

/** This part of the time to drain is given to steps that are about to finish by themselves. */
const GRACE_SHARE = 0.5;
/** Left at the end of a drain, for turns that were stopped to be released in the database. */
const RELEASE_MS = 1_000;
const POLL_EVERY_MS = 20;
/** They share statements. A worker that accepts many more jobs before it claims the first delays that one. */
const CLAIMS_AT_ONCE = 64;
/** Turns parked for an outage that one successful probe lets run. */
const PROBES_PER_SUCCESS = 10;

/**
 * How long a worker has a turn that was handed to it and that it has not confirmed. As long may a turn wait whose worker
 * was never told, or is frozen.
 */
const MOST_UNCONFIRMED_MS = 10_000;

/** Takes turns off the queue and runs them, each under its own lease. */
export class TurnRunner {
  readonly #parts: TurnRunnerParts;
  readonly #warn: Report;
  readonly #keeper: LeaseKeeper;
  readonly #observer: LeaseObserver;
  readonly #model: Model;
  readonly #tools: ToolRunner;
  #runs: Capability;
  #consumer: JobConsumer;
  readonly #offers: SlotOffers;
  #draining = false;
  #retiring = false;

  constructor(parts: TurnRunnerParts) {
    this.#parts = parts;
    this.#warn = reportSparingly((message, fields) => parts.logger.warn(message, fields));
    const { database, workerId, concurrency, leaseMs, runs, build } = parts;
    this.#runs = runs;
    const onListenerError = this.#warn('A listener of lease events failed.');
    this.#keeper = new LeaseKeeper({
      database,
      workerId,
      concurrency,
      leaseMs,
      runs,
      build,
      onListenerError,
    });
    const { events } = this.#keeper;
    this.#observer = new LeaseObserver(events, parts);
    countLeases(events, parts);
    publishLeases(events, { ...parts, observer: this.#observer });
    events.on('heartbeatFailed', this.#warn('A heartbeat failed.'));
    const watched = { metrics: parts.turnMetrics, tracing: parts.tracing };
    this.#model = logModelContents(watchModel(parts.model, watched));
    this.#tools = logToolContents(watchTools(parts.tools, watched));
    this.#consumer = this.#consume();
    this.#offers = parts.backplane.handOvers.offer({
      workerId,
      leaseMs: Math.min(leaseMs, MOST_UNCONFIRMED_MS),
      free: () => this.#slotsToOffer,
      run: (job) => void this.#runHanded(job),
    });
  }

  /** Half of what is free: jobs have the other half. Turns are handed over to the default pool alone. */
  get #slotsToOffer(): number {
    if (this.#draining || this.#retiring || this.#runs.pool !== DEFAULT_POOL) return 0;
    return Math.ceil(this.#consumer.freeSlots / 2);
  }

  #consume(): JobConsumer {
    const options = {
      concurrency: this.#parts.concurrency,
      unclaimedAtOnce: CLAIMS_AT_ONCE,
      run: (job: TurnJob, taken: () => void) => this.#run(job, taken),
      onError: this.#warn('A turn job failed.'),
    };
    return this.#parts.backplane.consume(options, this.#runs.queue);
  }

  /** From now on it runs other turns. Those that run here go on, and do not count as its slots. */
  async become(runs: Capability, build: string): Promise<void> {
    if (this.#draining) return;
    const before = this.#runs;
    this.#runs = runs;
    await this.#keeper.become(runs, build);
    if (this.#draining || runs.queue === before.queue) return;
    const old = this.#consumer;
    this.#consumer = this.#consume();
    await old.close(RELEASE_MS);
  }

  /** The number of turns that run here now. */
  get held(): number {
    return this.#keeper.held.length;
  }

  /** A turn was asked to cancel: if it runs here, it stops now, and not with its next heartbeat. */
  cancel(turnId: string): void {
    this.#keeper.cancel(turnId);
  }

  /** Claims nothing more; resolves when the turns that run here have ended or were given back. */
  async retire(): Promise<void> {
    this.#retiring = true;
    this.#offers.close();
    await this.#consumer.pause();
    await this.#keeper.leave();
    while (this.#keeper.held.length > 0) await delay(POLL_EVERY_MS);
  }

  /**
   * Claims nothing more; lets steps that are about to finish finish, then gives the rest back, all
   * within `drainMs`. What is still held after that is recovered by the next worker as after a crash.
   */
  async drain(drainMs: number): Promise<void> {
    this.#draining = true;
    this.#offers.close();
    await this.#consumer.pause();
    const left = this.#keeper.leave();
    for (const lease of this.#keeper.held) lease.drain();
    await this.#untilIdle(drainMs * GRACE_SHARE);
    for (const lease of this.#keeper.held) lease.stop(new DrainError());
    await this.#untilIdle(Math.max(0, drainMs * (1 - GRACE_SHARE) - RELEASE_MS));
    const turns = this.#keeper.held.length;
    if (turns > 0) this.#parts.logger.warn('Some turns did not stop in time.', { turns });
    await left;
    this.#keeper.close();
    await this.#consumer.close(RELEASE_MS);
  }

  async #run(job: TurnJob, taken: () => void): Promise<void> {
    // Its turn stays queued, and the reconciler enqueues it again for another worker.
    if (this.#draining || this.#retiring) return;
    const lease = await this.#claim(job);
    if (lease === null) return;
    // From here on the lease stands for the turn.
    taken();
    this.#offers.changed();
    await this.#runLeased(lease);
    this.#offers.changed();
  }

  /** A turn that was accepted into a slot of this worker. Nothing may be left of the slot by now. */
  async #runHanded(job: HandedJob): Promise<void> {
    const free = this.#draining || this.#retiring ? null : this.#consumer.takeSlot();
    try {
      if (free === null) return await giveBack(this.#parts, { ...job, workerId: this.#parts.workerId });
      const lease = await this.#keeper.receive(job);
      if (lease !== null) await this.#runLeased(lease);
    } catch (error) {
      const warn = this.#warn('A turn that was handed over could not be read; it will be enqueued.');
      warn(error, { turn_id: job.turnId, epoch: job.epoch });
    } finally {
      free?.();
      this.#offers.changed();
    }
  }

  async #runLeased(lease: Lease): Promise<void> {
    if (this.#draining) lease.drain();
    const { logger, span } = this.#observer.of(lease);
    lease.traceparent = span.traceparent;
    try {
      await runTurn(lease, {
        model: this.#modelFor(lease),
        tools: this.#tools,
        outputs: this.#parts.outputs,
        logger,
        traceparent: span.traceparent,
        logsContent: () => this.#parts.logsContent(lease.turn.tenantId),
      });
    } catch (error) {
      if (error instanceof LeaseLostError)
        logger.warn('The lease was lost; nothing more is done for the turn.');
      else
        logger.error('A turn failed unexpectedly; another worker claims it when the lease ends.', { error });
      lease.lose(error);
    }
  }

  #modelFor(lease: Lease): Model {
    const { outage } = lease.turn;
    if (outage === null) return this.#model;
    return noticeReturn(this.#model, () => void this.#endOutage(lease, outage));
  }

  /** The model is back: some of the turns that are parked for the same outage may run. If this fails, the next probe does it. */
  async #endOutage(lease: Lease, id: string): Promise<void> {
    const { database, dispatcher } = this.#parts;
    const { tenantId } = lease.turn;
    try {
      const turns = await endOutage(database.pool, { tenantId, id }, PROBES_PER_SUCCESS);
      if (turns > 0) dispatcher.changed({ tenantId });
    } catch (error) {
      const { logger } = this.#observer.of(lease);
      logger.warn('Turns parked for an outage could not be released; they are released later.', { error });
    }
  }

  /** What fails here is logged by its job alone: no lease is known yet. */
  async #claim(job: TurnJob): Promise<Lease | null> {
    try {
      const lease = await this.#keeper.claim(job);
      if (lease === null) await this.#takeBack(job);
      return lease;
    } catch (error) {
      const warn = this.#warn('A turn could not be claimed; it will be enqueued again.');
      warn(error, { turn_id: job.turnId, epoch: job.epoch });
      return null;
    }
  }

  /** Where this worker cannot run the turn, another is to get it. */
  async #takeBack(job: TurnJob): Promise<void> {
    const { database, dispatcher, logger } = this.#parts;
    const tenantId = await takeBackTurn(database.pool, job, this.#runs);
    if (tenantId === null) return;
    logger.info('A turn came that this worker has no tools for; another worker gets it.', {
      turn_id: job.turnId,
      epoch: job.epoch,
    });
    dispatcher.changed({ tenantId });
  }

  async #untilIdle(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (this.#keeper.held.length > 0 && performance.now() < end) await delay(POLL_EVERY_MS);
  }
}

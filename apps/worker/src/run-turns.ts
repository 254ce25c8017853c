import { setTimeout as delay } from 'node:timers/promises';
import { runTurn, type Model, type ToolRunner } from '@turnpike/agent';
import type { Backplane, HintConsumer, TurnHint } from '@turnpike/backplane';
import { DrainError, isSettled, LeaseLostError, type TurnStatus } from '@turnpike/contract';
import type { Database } from '@turnpike/store';
import type { Logger, Metrics } from '@turnpike/telemetry';
import { announceTurns, type Dispatcher, type Lease, LeaseKeeper } from '@turnpike/turns';

export interface TurnRunnerParts {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
  model: Model;
  tools: ToolRunner;
  logger: Logger;
  metrics: Metrics;
  workerId: string;
  concurrency: number;
  leaseMs: number;
}

/** This part of the time to drain is given to steps that are about to finish by themselves. */
const GRACE_SHARE = 0.5;
/** Left at the end for what was told to stop to say so in the database. */
const GOODBYE_MS = 1_000;
const LOOK_EVERY_MS = 20;

/** Takes turns off the queue and runs them, each under a lease of its own. */
export class TurnRunner {
  readonly #parts: TurnRunnerParts;
  readonly #keeper: LeaseKeeper;
  readonly #consumer: HintConsumer;
  #draining = false;

  constructor(parts: TurnRunnerParts) {
    this.#parts = parts;
    this.#keeper = new LeaseKeeper({
      database: parts.database,
      workerId: parts.workerId,
      concurrency: parts.concurrency,
      leaseMs: parts.leaseMs,
      onEnd: (lease, status) => this.#leaseEnded(lease, status),
      onRoom: (tenantId) => parts.dispatcher.changed({ tenantId }),
      onNews: ({ turn }, news) => {
        const about = { sessionId: turn.sessionId, turnId: turn.id };
        if ('text' in news) parts.backplane.live.show({ ...about, ...news });
        else parts.backplane.live.changed({ ...about, ...news });
      },
      onError: (error) => parts.logger.warn('A heartbeat failed.', { error }),
    });
    this.#consumer = parts.backplane.consume({
      concurrency: parts.concurrency,
      run: (hint) => this.#run(hint),
      onError: (error) => parts.logger.error('A hint could not be worked on.', { error }),
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

  async #run(hint: TurnHint): Promise<void> {
    // Its turn stays queued, and the reconciler hints it again for somebody who stays.
    if (this.#draining) return;
    const lease = await this.#keeper.claim(hint);
    if (lease === null) return;
    const { id, tenantId, sessionId, epoch } = lease.turn;
    const logger = this.#parts.logger.child({
      turn_id: id,
      tenant_id: tenantId,
      session_id: sessionId,
      epoch,
    });
    logger.debug('Turn taken.');
    if (this.#draining) lease.drain();
    try {
      await runTurn(lease, this.#parts);
    } catch (error) {
      if (error instanceof LeaseLostError)
        logger.warn('The lease was lost; nothing more is done for the turn.');
      else
        logger.error('The turn was left as it is; another worker takes it when the lease ends.', { error });
      lease.lose(error);
    }
  }

  #leaseEnded(lease: Lease, status: TurnStatus | null): void {
    const { metrics } = this.#parts;
    this.#parts.backplane.live.forget(lease.turn.id);
    if (status === null) {
      metrics.leasesLost.inc();
      return;
    }
    metrics.turnsLeft.inc({ status });
    const { id, sessionId, tenantId, epoch } = lease.turn;
    const { backplane, dispatcher, logger } = this.#parts;
    const fields = { turn_id: id, tenant_id: tenantId, session_id: sessionId, epoch, status };
    const error = lease.outcome?.error ?? null;
    if (error === null) logger.info('Turn left.', fields);
    else logger.warn('Turn left.', { ...fields, error_code: error.code, retry_status: error.retry_status });
    dispatcher.changed({ sessionId, tenantId });
    if (!isSettled(status)) return;
    announceTurns(backplane, [{ turn_id: id, status }]).catch((reason: unknown) => {
      logger.warn('An end could not be announced; waiting clients learn of it later.', {
        error: reason,
        turn_id: id,
      });
    });
  }

  async #untilIdle(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (this.#keeper.held.length > 0 && performance.now() < end) await delay(LOOK_EVERY_MS);
  }
}

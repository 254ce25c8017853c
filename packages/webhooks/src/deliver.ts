import type { Backplane, DeliveryJob, JobConsumer } from '@turnpike/backplane';
import { TurnpikeError } from '@turnpike/contract';
import { signWebhook } from '@turnpike/egress';
import {
  claimDelivery,
  postponeDelivery,
  readWebhookSecrets,
  recordDelivery,
  type ClaimedDelivery,
  type ReceiverBreaker,
} from '@turnpike/store';
import {
  reportSparingly,
  traceIdOf,
  type Logger,
  type Metrics,
  type Report,
  type Secret,
  type Span,
  type Tracing,
} from '@turnpike/telemetry';
import { composeMessage, type ComposerParts } from './compose-message.ts';
import { DeliveryFeeder } from './feed-deliveries.ts';
import { judgeAttempt, type Attempt } from './judge-attempt.ts';
import { WebhookSender, type SenderSettings } from './send-webhook.ts';
import { makeSigningSecret } from './signing-secret.ts';

export interface DelivererParts extends ComposerParts {
  backplane: Backplane;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing;
}

export interface DelivererSettings extends SenderSettings {
  /** Waits between attempts. Milliseconds. */
  schedule: readonly number[];
  /** An endpoint that only failed for so long is disabled; a delivery that could not be tried for so long is dead. */
  disableAfterMs: number;
  everyMs: number;
  jobAgeMs: number;
  keepMs: number;
}

/** Enough to record an attempt after the longest one. */
const LEASE_MARGIN_MS = 5_000;
const MIN_FAILURES_TO_DISABLE = 5;
const FAILURES_TO_OPEN = 3;
const MAX_OPEN_MS = 600_000;
/** After an error of ours, such as an unavailable key provider: it does not count against the receiver. */
const INTERNAL_ERROR_WAIT_MS = 15_000;

/** Takes delivery jobs off the queue and sends the webhooks, and enqueues what is due. */
export class Deliverer {
  readonly #parts: DelivererParts;
  readonly #warn: Report;
  readonly #settings: DelivererSettings;
  readonly #sender: WebhookSender;
  readonly #breaker: ReceiverBreaker;
  readonly #feeder: DeliveryFeeder;
  readonly #consumer: JobConsumer;

  constructor(parts: DelivererParts, settings: DelivererSettings) {
    this.#parts = parts;
    this.#warn = reportSparingly((message, fields) => parts.logger.warn(message, fields));
    this.#settings = settings;
    this.#sender = new WebhookSender(settings);
    const { timeoutMs, everyMs, jobAgeMs, keepMs, disableAfterMs } = settings;
    const [firstWaitMs = 5_000] = settings.schedule;
    const openMs = Math.min(Math.max(firstWaitMs, 1), 60_000);
    const mostOpenMs = Math.min(12 * openMs, MAX_OPEN_MS);
    this.#breaker = { failuresToOpen: FAILURES_TO_OPEN, openMs, mostOpenMs };
    this.#feeder = new DeliveryFeeder(
      { ...parts, onError: this.#warn('Deliveries could not be enqueued; this is retried.') },
      {
        everyMs,
        jobAgeMs,
        keepMs,
        window: 2 * this.#sender.slotsPerReceiver,
        probeMs: timeoutMs + LEASE_MARGIN_MS,
        giveUpAfterMs: disableAfterMs,
      },
    );
    this.#consumer = parts.backplane.deliveries.consume({
      concurrency: settings.concurrency,
      run: (job) => this.#run(job),
      onError: this.#warn('A delivery job failed; it is retried.'),
    });
  }

  /** The number of deliveries that are sent here now. */
  get active(): number {
    return this.#consumer.active;
  }

  /** Something may be due now. */
  nudge(): void {
    this.#feeder.nudge();
  }

  /** Takes no further jobs, and waits up to `graceMs` for deliveries in progress; the rest is sent again elsewhere. */
  async drain(graceMs: number): Promise<void> {
    await Promise.all([this.#feeder.stop(), this.#consumer.close(graceMs)]);
    this.#sender.close();
  }

  async #run({ deliveryId, jobNumber }: DeliveryJob): Promise<void> {
    const leaseMs = this.#settings.timeoutMs + LEASE_MARGIN_MS;
    const { pool } = this.#parts.database;
    const delivery = await claimDelivery(pool, { deliveryId, jobNumber, leaseMs }).catch((error: unknown) => {
      this.#warn('A delivery could not be claimed; it will be enqueued again.')(error, {
        delivery_id: deliveryId,
      });
      return null;
    });
    if (delivery === null) return;
    const span = startSpan(this.#parts.tracing, delivery);
    const logger = this.#loggerOf(delivery);
    try {
      await this.#deliver(delivery, { claimedAt: performance.now(), span, logger });
      span.end();
    } catch (error) {
      span.end(error instanceof TurnpikeError ? error.code : 'internal_error');
      logger.warn('A delivery could not be attempted; it is retried.', { error });
      await this.#postpone(delivery, INTERNAL_ERROR_WAIT_MS);
    }
    this.#feeder.nudge();
  }

  async #deliver(
    delivery: ClaimedDelivery,
    { claimedAt, span, logger }: { claimedAt: number; span: Span; logger: Logger },
  ): Promise<void> {
    const { metrics } = this.#parts;
    const message = await composeMessage(this.#parts, delivery);
    if (message === null) return;
    const { body } = message;
    const secrets = await this.#openSecrets(delivery);
    // Its endpoint was deleted meanwhile: nothing is sent, and the feeder ends its deliveries.
    if (secrets.length === 0) return;
    // The database's time: a receiver refuses timestamps that are minutes old, and a worker's clock may be wrong.
    const nowMs = (): number => delivery.claimedAt + performance.now() - claimedAt;
    const headers = (): Record<string, string> => ({
      'user-agent': 'Turnpike',
      ...message.headers,
      ...signWebhook(secrets, { id: delivery.eventId, nowMs: nowMs(), body }),
    });
    const attempt = await this.#sender.send(delivery, headers, body);
    if ('retryInMs' in attempt) {
      await this.#postpone(delivery, attempt.retryInMs);
      metrics.deliveries.inc({ outcome: 'held_back' });
      span.set({ 'turnpike.delivery.outcome': 'held_back' });
      return;
    }
    await this.#record(delivery, attempt, { nowMs: nowMs(), span, logger });
  }

  async #record(
    delivery: ClaimedDelivery,
    attempt: Attempt,
    { nowMs, span, logger }: { nowMs: number; span: Span; logger: Logger },
  ): Promise<void> {
    const { schedule, disableAfterMs } = this.#settings;
    const { database, metrics } = this.#parts;
    const judged = judgeAttempt(attempt, { schedule, tries: delivery.tries, nowMs });
    const { outcome, report, receiverWell } = judged;
    const recorded = await recordDelivery(database.pool, delivery, outcome, report, {
      disabling: { afterMs: disableAfterMs, leastFailures: MIN_FAILURES_TO_DISABLE },
      breaker: this.#breaker,
      receiverWell,
    });
    metrics.deliveries.inc({ outcome: outcome.result });
    const { responseStatus: status, errorCode, durationMs } = report;
    span.set({
      'turnpike.delivery.outcome': outcome.result,
      'http.response.status_code': status ?? undefined,
    });
    if (outcome.result !== 'delivered') span.end(errorCode ?? String(status));
    const fields = { status, error_code: errorCode, duration_ms: Math.round(durationMs) };
    logger.debug('Webhook attempted.', { ...fields, outcome: outcome.result });
    if (recorded === null)
      logger.warn('A delivery was claimed by another worker before it was recorded.', fields);
    else if (recorded.disabled !== null)
      logger.warn('Webhook endpoint disabled.', { ...fields, reason: recorded.disabled });
    else if (recorded.breakerOpened) logger.info('The circuit breaker of a webhook receiver opened.', fields);
  }

  async #openSecrets(delivery: ClaimedDelivery): Promise<Secret[]> {
    const { database, secretBox } = this.#parts;
    const { tenantId, endpointId } = delivery;
    const owner = { tenantId, owner: endpointId ?? tenantId };
    const make = endpointId === null ? makeSigningSecret : null;
    const sealed = await readWebhookSecrets(database.pool, secretBox, owner, make);
    return Promise.all(sealed.map((secret) => secretBox.open(tenantId, secret)));
  }

  async #postpone(delivery: ClaimedDelivery, delayMs: number): Promise<void> {
    const giveUpAfterMs = this.#settings.disableAfterMs;
    await postponeDelivery(this.#parts.database.pool, delivery, { delayMs, giveUpAfterMs });
  }

  #loggerOf({ id, eventId, tenantId, endpointId, turnId, traceparent }: ClaimedDelivery): Logger {
    return this.#parts.logger.child({
      delivery_id: id,
      event_id: eventId,
      tenant_id: tenantId,
      ...(endpointId === null ? {} : { webhook_endpoint_id: endpointId }),
      ...(turnId === null ? {} : { turn_id: turnId }),
      ...(traceparent === null ? {} : { trace_id: traceIdOf(traceparent) }),
    });
  }
}

/** In the trace of the request that submitted the turn. Without its URL: receivers put keys into those. */
function startSpan(tracing: Tracing, delivery: ClaimedDelivery): Span {
  return tracing.start('deliver webhook', {
    kind: 'client',
    parent: delivery.traceparent,
    attributes: {
      'http.request.method': 'POST',
      'turnpike.delivery.id': delivery.id,
      'turnpike.event.id': delivery.eventId,
      'turnpike.event.type': delivery.type,
      'turnpike.webhook_endpoint.id': delivery.endpointId ?? undefined,
      'turnpike.turn.id': delivery.turnId ?? undefined,
      'turnpike.tenant.id': delivery.tenantId,
      'turnpike.delivery.tries': delivery.tries,
    },
  });
}

import type { Backplane, DeliveryJob, JobConsumer } from '@turnpike/backplane';
import { TurnpikeError } from '@turnpike/contract';
import {
  BulkheadFullError,
  createSecureUrlCheck,
  createEgress,
  signWebhook,
  type Egress,
  type EgressPolicy,
  type EgressResponse,
} from '@turnpike/egress';
import {
  claimDelivery,
  postponeDelivery,
  readWebhookSecrets,
  recordDelivery,
  type ClaimedDelivery,
  type Database,
  type ReceiverBreaker,
  type SecretBox,
} from '@turnpike/store';
import {
  traceIdOf,
  type Logger,
  type Metrics,
  type Secret,
  type Span,
  type Tracing,
  reportSparingly,
  type Report,
} from '@turnpike/telemetry';
import { composeBody } from './compose-body.ts';
import { DeliveryFeeder } from './feed-deliveries.ts';
import { judgeAttempt, type Attempt } from './judge-attempt.ts';
import { makeSigningSecret } from './signing-secret.ts';
import { KeyedSemaphores } from './keyed-semaphores.ts';

export interface DelivererParts {
  database: Database;
  backplane: Backplane;
  secretBox: SecretBox;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing;
}

export interface DelivererSettings {
  /** Deliveries on their way at once. */
  concurrency: number;
  /** For one POST and its answer. Milliseconds. */
  timeoutMs: number;
  /** Waits between attempts. Milliseconds. */
  schedule: readonly number[];
  /** An endpoint that only failed for so long is disabled; what could not even be tried for so long is dead. */
  disableAfterMs: number;
  everyMs: number;
  jobAgeMs: number;
  keepMs: number;
  /** Private addresses that may be reached all the same, for development. */
  allow: readonly string[];
  lookup?: EgressPolicy['lookup'];
}

/** What is needed to record an attempt after the longest one. */
const LEASE_MARGIN_MS = 5_000;
const ANSWER_BYTES = 1_024;
const LEAST_FAILURES = 5;
const FAILURES_TO_OPEN = 3;
const LONGEST_OPEN_MS = 600_000;
/** While secrets cannot be opened, or the like: nothing that speaks against the receiver. */
const TROUBLE_WAIT_MS = 15_000;
const FULL_WAIT_MS = 500;
/** Longer: to claim what may not leave costs the database something, and a tenant may have much of it. */
const TENANT_FULL_WAIT_MS = 3_000;
/** A burst to receivers that answer at once passes in this time. */
const TENANT_LINE_MS = 250;

class TenantFullError extends BulkheadFullError {}

/** Takes deliveries off the queue and makes them, and feeds the queue. */
export class Deliverer {
  readonly #parts: DelivererParts;
  readonly #warn: Report;
  readonly #settings: DelivererSettings;
  readonly #egress: Egress;
  readonly #checkUrl: (url: string) => void;
  readonly #breaker: ReceiverBreaker;
  /** One receiver may hold a quarter of the slots until it is known to be down, and then one at a time. */
  readonly #receiverSlots: KeyedSemaphores;
  /** All receivers of one tenant together may hold half of them. */
  readonly #tenantSlots: KeyedSemaphores;
  readonly #feeder: DeliveryFeeder;
  readonly #consumer: JobConsumer;
  readonly #ended = new AbortController();

  constructor(parts: DelivererParts, settings: DelivererSettings) {
    this.#parts = parts;
    this.#warn = reportSparingly((message, fields) => parts.logger.warn(message, fields));
    this.#settings = settings;
    const { timeoutMs } = settings;
    const policy: EgressPolicy = {
      allow: [...settings.allow],
      deadlineMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
      connectTimeoutMs: Math.min(timeoutMs, 5_000),
      maxResponseBytes: ANSWER_BYTES,
      ...(settings.lookup === undefined ? {} : { lookup: settings.lookup }),
    };
    this.#egress = createEgress(policy);
    this.#checkUrl = createSecureUrlCheck(policy);
    const slots = Math.max(2, Math.floor(settings.concurrency / 4));
    this.#receiverSlots = new KeyedSemaphores({ slots, maxWaiting: slots, maxWaitMs: 1_000 });
    const tenantSlots = Math.max(1, Math.floor(settings.concurrency / 2));
    const maxWaiting = Math.floor(tenantSlots / 2);
    this.#tenantSlots = new KeyedSemaphores({ slots: tenantSlots, maxWaiting, maxWaitMs: TENANT_LINE_MS });
    const [firstWaitMs = 5_000] = settings.schedule;
    const openMs = Math.min(Math.max(firstWaitMs, 1), 60_000);
    const mostOpenMs = Math.min(12 * openMs, LONGEST_OPEN_MS);
    this.#breaker = { failuresToOpen: FAILURES_TO_OPEN, openMs, mostOpenMs };
    const { everyMs, jobAgeMs, keepMs } = settings;
    this.#feeder = new DeliveryFeeder(
      {
        ...parts,
        onError: this.#warn('Deliveries could not be enqueued; it is repeated.'),
      },
      {
        everyMs,
        jobAgeMs,
        keepMs,
        window: 2 * slots,
        probeMs: timeoutMs + LEASE_MARGIN_MS,
        giveUpAfterMs: settings.disableAfterMs,
      },
    );
    this.#consumer = parts.backplane.deliveries.consume({
      concurrency: settings.concurrency,
      run: (job) => this.#run(job),
      onError: this.#warn('A delivery could not be worked on; it is repeated.'),
    });
  }

  /** Deliveries that are made here now. */
  get active(): number {
    return this.#consumer.active;
  }

  /** Something may be due now. */
  nudge(): void {
    this.#feeder.nudge();
  }

  /** Takes nothing new, and waits up to `graceMs` for what is on its way; the rest is made again elsewhere. */
  async drain(graceMs: number): Promise<void> {
    await Promise.all([this.#feeder.stop(), this.#consumer.close(graceMs)]);
    this.#ended.abort();
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
    try {
      await this.#deliver(delivery, performance.now(), span);
      span.end();
    } catch (error) {
      span.end(error instanceof TurnpikeError ? error.code : 'internal_error');
      this.#loggerOf(delivery).warn('A delivery could not be attempted; it is repeated.', { error });
      await this.#putBack(delivery, TROUBLE_WAIT_MS);
    }
    this.#feeder.nudge();
  }

  async #deliver(delivery: ClaimedDelivery, claimedAt: number, span: Span): Promise<void> {
    const { database, metrics } = this.#parts;
    const body = await composeBody(database.pool, delivery);
    if (body === null) return;
    const secrets = await this.#openSecrets(delivery);
    // Its endpoint was deleted meanwhile: nothing is sent there, and it is given up with what else waits.
    if (secrets.length === 0) return;
    // By the database's clock: a receiver refuses what is minutes old, and a worker's clock may be wrong.
    const nowMs = (): number => delivery.claimedAt + performance.now() - claimedAt;
    const attempt = await this.#attempt(
      delivery,
      () => ({
        'user-agent': 'Turnpike',
        'content-type': 'application/json',
        ...signWebhook(secrets, { id: delivery.eventId, nowMs: nowMs(), body }),
      }),
      body,
    );
    if (attempt === null) {
      metrics.deliveries.inc({ outcome: 'held_back' });
      span.set({ 'turnpike.delivery.outcome': 'held_back' });
      return;
    }
    const { schedule, disableAfterMs } = this.#settings;
    const judged = judgeAttempt(attempt, { schedule, tries: delivery.tries, nowMs: nowMs() });
    const recorded = await recordDelivery(database.pool, delivery, judged.outcome, judged.report, {
      disabling: { afterMs: disableAfterMs, leastFailures: LEAST_FAILURES },
      breaker: this.#breaker,
      receiverWell: judged.receiverWell,
    });
    metrics.deliveries.inc({ outcome: judged.outcome.result });
    const logger = this.#loggerOf(delivery);
    const { responseStatus: status, errorCode, durationMs } = judged.report;
    const fields = { status, error_code: errorCode, duration_ms: Math.round(durationMs) };
    span.set({
      'turnpike.delivery.outcome': judged.outcome.result,
      'http.response.status_code': status ?? undefined,
    });
    if (judged.outcome.result !== 'delivered') span.end(errorCode ?? String(status));
    logger.debug('A webhook was attempted.', { ...fields, outcome: judged.outcome.result });
    if (recorded === null) logger.warn('A delivery was another worker’s by the time it was made.', fields);
    else if (recorded.disabled !== null)
      logger.warn('A webhook endpoint is disabled.', { ...fields, reason: recorded.disabled });
    else if (recorded.breakerOpened) logger.info('A webhook receiver is left alone for a while.', fields);
  }

  /** Null where it was held back: nothing was sent, and nothing of it counts. */
  async #attempt(
    delivery: ClaimedDelivery,
    headers: () => Record<string, string>,
    body: string,
  ): Promise<Attempt | null> {
    let startedAt = performance.now();
    const send = async (): Promise<EgressResponse> => {
      startedAt = performance.now();
      const { url } = delivery;
      this.#checkUrl(url);
      return this.#egress.send({ method: 'POST', url, headers: headers(), body });
    };
    const { lane, tenantId } = delivery;
    const signal = this.#ended.signal;
    try {
      const result = await this.#receiverSlots.run(lane, signal, () =>
        this.#sendAmongTenants(tenantId, send),
      );
      return { outcome: { result }, durationMs: performance.now() - startedAt };
    } catch (error) {
      if (error instanceof BulkheadFullError) {
        const waitMs = error instanceof TenantFullError ? TENANT_FULL_WAIT_MS : FULL_WAIT_MS;
        await this.#putBack(delivery, waitMs * (1 + Math.random()));
        return null;
      }
      // We stop, and it was still waiting for a slot: that says nothing of anybody.
      if (signal.aborted && error === signal.reason) throw error;
      return { outcome: { error }, durationMs: performance.now() - startedAt };
    }
  }

  async #sendAmongTenants(tenantId: string, send: () => Promise<EgressResponse>): Promise<EgressResponse> {
    try {
      return await this.#tenantSlots.run(tenantId, this.#ended.signal, send);
    } catch (error) {
      throw error instanceof BulkheadFullError ? new TenantFullError() : error;
    }
  }

  async #openSecrets(delivery: ClaimedDelivery): Promise<Secret[]> {
    const { database, secretBox } = this.#parts;
    const { tenantId, endpointId } = delivery;
    const owner = { tenantId, owner: endpointId ?? tenantId };
    const make = endpointId === null ? makeSigningSecret : null;
    const sealed = await readWebhookSecrets(database.pool, secretBox, owner, make);
    return Promise.all(sealed.map((secret) => secretBox.open(tenantId, secret)));
  }

  async #putBack(delivery: ClaimedDelivery, delayMs: number): Promise<void> {
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

/** In the trace of the request that brought the turn. Its URL is not told: receivers put keys into them. */
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

import { BulkheadFullError, createEgress, createSecureUrlCheck } from '@turnpike/egress';
import type { Egress, EgressPolicy, EgressResponse } from '@turnpike/egress';
import type { ClaimedDelivery } from '@turnpike/store';
import type { Attempt } from './judge-attempt.ts';
import { KeyedSemaphores } from './keyed-semaphores.ts';

export interface SenderSettings {
  /** Deliveries that are sent at once. */
  concurrency: number;
  /** For one POST and its response. Milliseconds. */
  timeoutMs: number;
  /** Private addresses that may be reached all the same, for development. */
  allow: readonly string[];
  lookup?: EgressPolicy['lookup'];
}

/** What is kept of a response. */
const RESPONSE_BYTES = 1_024;
const FULL_WAIT_MS = 500;
/** Longer: to claim a delivery that cannot be sent costs the database something, and a tenant may have many. */
const TENANT_FULL_WAIT_MS = 3_000;
/** A burst to receivers that respond at once passes in this time. */
const TENANT_MAX_WAIT_MS = 250;

class TenantFullError extends BulkheadFullError {}

/** Sends webhooks, and limits how many of one receiver and of one tenant are sent at once. */
export class WebhookSender {
  /** Slots of one receiver: a quarter of all, until it is known to be down; then one at a time. */
  readonly slotsPerReceiver: number;
  readonly #egress: Egress;
  readonly #checkUrl: (url: string) => void;
  readonly #receiverSlots: KeyedSemaphores;
  /** All receivers of one tenant together may hold half of the slots. */
  readonly #tenantSlots: KeyedSemaphores;
  readonly #closed = new AbortController();

  constructor({ concurrency, timeoutMs, allow, lookup }: SenderSettings) {
    const policy: EgressPolicy = {
      allow: [...allow],
      deadlineMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
      connectTimeoutMs: Math.min(timeoutMs, 5_000),
      maxResponseBytes: RESPONSE_BYTES,
      ...(lookup === undefined ? {} : { lookup }),
    };
    this.#egress = createEgress(policy);
    this.#checkUrl = createSecureUrlCheck(policy);
    const slots = Math.max(2, Math.floor(concurrency / 4));
    this.slotsPerReceiver = slots;
    this.#receiverSlots = new KeyedSemaphores({ slots, maxWaiting: slots, maxWaitMs: 1_000 });
    const tenantSlots = Math.max(1, Math.floor(concurrency / 2));
    this.#tenantSlots = new KeyedSemaphores({
      slots: tenantSlots,
      maxWaiting: Math.floor(tenantSlots / 2),
      maxWaitMs: TENANT_MAX_WAIT_MS,
    });
  }

  /**
   * One attempt. `retryInMs` where the slots of the receiver or of the tenant are busy: nothing was sent, and it is no
   * attempt. Throws where the sender was closed while the delivery waited for a slot.
   */
  async send(
    { url, lane, tenantId }: ClaimedDelivery,
    headers: () => Record<string, string>,
    body: string,
  ): Promise<Attempt | { retryInMs: number }> {
    let startedAt = performance.now();
    const post = async (): Promise<EgressResponse> => {
      startedAt = performance.now();
      this.#checkUrl(url);
      return this.#egress.send({ method: 'POST', url, headers: headers(), body });
    };
    const { signal } = this.#closed;
    try {
      const result = await this.#receiverSlots.run(lane, signal, () => this.#inTenantSlot(tenantId, post));
      return { outcome: { result }, durationMs: performance.now() - startedAt };
    } catch (error) {
      if (error instanceof BulkheadFullError) {
        const waitMs = error instanceof TenantFullError ? TENANT_FULL_WAIT_MS : FULL_WAIT_MS;
        return { retryInMs: waitMs * (1 + Math.random()) };
      }
      if (signal.aborted && error === signal.reason) throw error;
      return { outcome: { error }, durationMs: performance.now() - startedAt };
    }
  }

  /** Deliveries that wait for a slot are not sent any more. */
  close(): void {
    this.#closed.abort();
  }

  async #inTenantSlot(tenantId: string, post: () => Promise<EgressResponse>): Promise<EgressResponse> {
    try {
      return await this.#tenantSlots.run(tenantId, this.#closed.signal, post);
    } catch (error) {
      throw error instanceof BulkheadFullError ? new TenantFullError() : error;
    }
  }
}

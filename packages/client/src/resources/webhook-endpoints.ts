import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { ShownOnce } from '../wire/shapes.ts';
import type {
  CreatedWebhookEndpoint,
  CreateWebhookEndpoint,
  Delivery,
  DeliveryStatus,
  Redeliver,
  Redelivery,
  UpdateWebhookEndpoint,
  WebhookEndpoint,
  WebhookSecret,
} from '../wire/webhooks.ts';

export interface Rotation {
  /** How long webhooks carry the signature of the old secret as well. Default: a day. */
  overlap_seconds?: number;
}

/** Where you are told of events. */
export class WebhookEndpoints {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(
    endpoint: CreateWebhookEndpoint,
    options?: WriteOptions,
  ): Promise<ShownOnce<CreatedWebhookEndpoint, 'signing_secret'>> {
    return this.#transport.call({ method: 'POST', path: '/v1/webhook_endpoints', body: endpoint }, options);
  }

  get(id: string, options?: CallOptions): Promise<WebhookEndpoint> {
    return this.#transport.call({ method: 'GET', path: path`/v1/webhook_endpoints/${id}` }, options);
  }

  list(query: PageQuery = {}, options: CallOptions = {}): Pages<WebhookEndpoint> {
    return new Pages(this.#transport, '/v1/webhook_endpoints', { ...query }, options);
  }

  update(id: string, change: UpdateWebhookEndpoint, options?: WriteOptions): Promise<WebhookEndpoint> {
    const to = path`/v1/webhook_endpoints/${id}`;
    return this.#transport.call({ method: 'POST', path: to, body: change }, options);
  }

  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/webhook_endpoints/${id}` }, options);
  }

  rotate(
    id: string,
    rotation: Rotation = {},
    options?: WriteOptions,
  ): Promise<ShownOnce<CreatedWebhookEndpoint, 'signing_secret'>> {
    const to = path`/v1/webhook_endpoints/${id}/rotate`;
    return this.#transport.call({ method: 'POST', path: to, body: rotation }, options);
  }

  /** A new secret for the `webhook_url` of turns; this is how the first one is had, too. */
  rotateSecretOfTurns(
    rotation: Rotation = {},
    options?: WriteOptions,
  ): Promise<ShownOnce<WebhookSecret, 'signing_secret'>> {
    return this.#transport.call(
      { method: 'POST', path: '/v1/webhook_secret/rotate', body: rotation },
      options,
    );
  }

  /** Sends an event of the type `ping`. */
  ping(id: string, options?: WriteOptions): Promise<Delivery> {
    return this.#transport.call({ method: 'POST', path: path`/v1/webhook_endpoints/${id}/ping` }, options);
  }

  deliveries(
    id: string,
    query: PageQuery & { status?: DeliveryStatus; type?: string } = {},
    options: CallOptions = {},
  ): Pages<Delivery> {
    return new Pages(this.#transport, path`/v1/webhook_endpoints/${id}/deliveries`, { ...query }, options);
  }

  /** Sends the events of a time again. */
  redeliver(id: string, which: Redeliver, options?: WriteOptions): Promise<Redelivery> {
    const to = path`/v1/webhook_endpoints/${id}/redeliver`;
    return this.#transport.call({ method: 'POST', path: to, body: which }, options);
  }
}

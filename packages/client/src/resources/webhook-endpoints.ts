import type {
  createdWebhookEndpointSchema,
  createWebhookEndpointSchema,
  Delivery,
  redeliverSchema,
  redeliverySchema,
  rotateWebhookSecretSchema,
  updateWebhookEndpointSchema,
  WebhookEndpoint,
  webhookSecretSchema,
} from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { DeliveryQuery } from './deliveries.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input, Output, ShownOnce } from '../wire/shapes.ts';

export type CreatedWebhookEndpoint = ShownOnce<Output<typeof createdWebhookEndpointSchema>, 'signing_secret'>;
/** What the webhooks to the `webhook_url` of turns are signed with. */
export type WebhookSecret = ShownOnce<Output<typeof webhookSecretSchema>, 'signing_secret'>;
/** How long webhooks carry the signature of the old secret as well: a day unless said otherwise. */
export type Rotation = Input<typeof rotateWebhookSecretSchema>;
export type Redelivery = Output<typeof redeliverySchema>;

/** Where you are told of events. */
export class WebhookEndpoints {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(
    endpoint: Input<typeof createWebhookEndpointSchema>,
    options?: WriteOptions,
  ): Promise<CreatedWebhookEndpoint> {
    return this.#transport.call({ method: 'POST', path: '/v1/webhook_endpoints', body: endpoint }, options);
  }

  get(id: string, options?: CallOptions): Promise<WebhookEndpoint> {
    return this.#transport.call({ method: 'GET', path: path`/v1/webhook_endpoints/${id}` }, options);
  }

  list(query: PageQuery = {}, options: CallOptions = {}): Pages<WebhookEndpoint> {
    return new Pages(this.#transport, '/v1/webhook_endpoints', { ...query }, options);
  }

  update(
    id: string,
    change: Input<typeof updateWebhookEndpointSchema>,
    options?: WriteOptions,
  ): Promise<WebhookEndpoint> {
    const to = path`/v1/webhook_endpoints/${id}`;
    return this.#transport.call({ method: 'POST', path: to, body: change }, options);
  }

  delete(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/webhook_endpoints/${id}` }, options);
  }

  rotate(id: string, rotation: Rotation = {}, options?: WriteOptions): Promise<CreatedWebhookEndpoint> {
    const to = path`/v1/webhook_endpoints/${id}/rotate`;
    return this.#transport.call({ method: 'POST', path: to, body: rotation }, options);
  }

  /** A new secret for the `webhook_url` of turns; this is how the first one is had, too. */
  rotateSecretOfTurns(rotation: Rotation = {}, options?: WriteOptions): Promise<WebhookSecret> {
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
    query: Omit<DeliveryQuery, 'turn_id'> = {},
    options: CallOptions = {},
  ): Pages<Delivery> {
    return new Pages(this.#transport, path`/v1/webhook_endpoints/${id}/deliveries`, { ...query }, options);
  }

  /** Sends the events of a time again. */
  redeliver(id: string, which: Input<typeof redeliverSchema>, options?: WriteOptions): Promise<Redelivery> {
    const to = path`/v1/webhook_endpoints/${id}/redeliver`;
    return this.#transport.call({ method: 'POST', path: to, body: which }, options);
  }
}

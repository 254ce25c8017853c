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
/** The secret that signs webhooks to the `webhook_url` of turns. */
export type WebhookSecret = ShownOnce<Output<typeof webhookSecretSchema>, 'signing_secret'>;
/** How long webhooks are also signed with the old secret: by default a day. */
export type Rotation = Input<typeof rotateWebhookSecretSchema>;
export type Redelivery = Output<typeof redeliverySchema>;

/** Your endpoints that receive events. */
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

  /** Creates a new secret for the `webhook_url` of turns. This also creates the first one. */
  rotateSecretOfTurns(rotation: Rotation = {}, options?: WriteOptions): Promise<WebhookSecret> {
    return this.#transport.call(
      { method: 'POST', path: '/v1/webhook_secret/rotate', body: rotation },
      options,
    );
  }

  /** Sends a `ping` event. */
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

  /** Sends the events of a period again. */
  redeliver(id: string, which: Input<typeof redeliverSchema>, options?: WriteOptions): Promise<Redelivery> {
    const to = path`/v1/webhook_endpoints/${id}/redeliver`;
    return this.#transport.call({ method: 'POST', path: to, body: which }, options);
  }
}

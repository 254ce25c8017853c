import type { Delivery, deliveryWithAttemptsSchema, DeliveryStatus } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery, type TimeQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Output } from '../wire/shapes.ts';

export type DeliveryWithAttempts = Output<typeof deliveryWithAttemptsSchema>;

export interface DeliveryQuery extends PageQuery, TimeQuery {
  turn_id?: string | undefined;
  /** One status, or several. */
  status?: DeliveryStatus | readonly DeliveryStatus[] | undefined;
  type?: string | undefined;
}

/** Deliveries of events to webhook endpoints. */
export class Deliveries {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get(id: string, options?: CallOptions): Promise<DeliveryWithAttempts> {
    return this.#transport.call({ method: 'GET', path: path`/v1/deliveries/${id}` }, options);
  }

  /** Newest first. */
  list(query: DeliveryQuery = {}, options: CallOptions = {}): Pages<Delivery> {
    return new Pages(this.#transport, '/v1/deliveries', { ...query }, options);
  }

  /** Sends the event again, whatever its status. */
  redeliver(id: string, options?: WriteOptions): Promise<Delivery> {
    return this.#transport.call({ method: 'POST', path: path`/v1/deliveries/${id}/redeliver` }, options);
  }
}

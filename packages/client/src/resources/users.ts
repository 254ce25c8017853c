import type { UserErasure } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';

/** End users, as you name them in `user_id`. */
export class Users {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Erases all sessions of the user, with everything in them. It goes on by itself: `erasure` says how far it is. */
  erase(userId: string, options?: WriteOptions): Promise<UserErasure> {
    return this.#transport.call(
      { method: 'POST', path: '/v1/user_erasures', body: { user_id: userId } },
      options,
    );
  }

  erasure(id: string, options?: CallOptions): Promise<UserErasure> {
    return this.#transport.call({ method: 'GET', path: path`/v1/user_erasures/${id}` }, options);
  }

  /** Newest first. */
  erasures(query: PageQuery = {}, options: CallOptions = {}): Pages<UserErasure> {
    return new Pages(this.#transport, '/v1/user_erasures', { ...query }, options);
  }
}

import type {
  ApiKey,
  createApiKeySchema,
  createdApiKeySchema,
  rotateApiKeySchema,
} from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import type { Input, Output, ShownOnce } from '../wire/shapes.ts';

export type CreatedApiKey = ShownOnce<Output<typeof createdApiKeySchema>, 'key'>;

/** API keys. Requires a key with the scope `admin`. */
export class ApiKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(key: Input<typeof createApiKeySchema>, options?: WriteOptions): Promise<CreatedApiKey> {
    return this.#transport.call({ method: 'POST', path: '/v1/api_keys', body: key }, options);
  }

  list(query: PageQuery = {}, options: CallOptions = {}): Pages<ApiKey> {
    return new Pages(this.#transport, '/v1/api_keys', { ...query }, options);
  }

  /** Creates a new key with the same scopes. The old one stays valid for the overlap, by default a day. */
  rotate(
    id: string,
    rotation: Input<typeof rotateApiKeySchema> = {},
    options?: WriteOptions,
  ): Promise<CreatedApiKey> {
    const to = path`/v1/api_keys/${id}/rotate`;
    return this.#transport.call({ method: 'POST', path: to, body: rotation }, options);
  }

  /** The key stops working everywhere within a second. */
  revoke(id: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/api_keys/${id}` }, options);
  }
}

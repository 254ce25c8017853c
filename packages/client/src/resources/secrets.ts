import type { SecretEntry } from '../wire/contract.ts';
import { path } from '../address.ts';
import { Pages, type PageQuery } from '../pages.ts';
import type { CallOptions, Transport } from '../transport.ts';

/** Secrets. Their values can be written and not read. */
export class Secrets {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Creates the secret, or a new version of it. `allowedHosts`: the only hosts that the value is sent to; null: any
   * host; omitted: those of the version before.
   */
  put(
    name: string,
    value: string,
    { allowedHosts, ...options }: CallOptions & { allowedHosts?: string[] | null } = {},
  ): Promise<SecretEntry> {
    const body = { value, allowed_hosts: allowedHosts };
    return this.#transport.call({ method: 'PUT', path: path`/v1/secrets/${name}`, body }, options);
  }

  get(name: string, options?: CallOptions): Promise<SecretEntry> {
    return this.#transport.call({ method: 'GET', path: path`/v1/secrets/${name}` }, options);
  }

  list(query: PageQuery = {}, options: CallOptions = {}): Pages<SecretEntry> {
    return new Pages(this.#transport, '/v1/secrets', { ...query }, options);
  }

  delete(name: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: path`/v1/secrets/${name}` }, options);
  }
}

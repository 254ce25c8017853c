import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { TransitEngine, type TransitFields, TransitError } from './transit-engine.ts';
import { VaultTokens } from './vault-tokens.ts';

export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  fields: TransitFields;
}

/** Replaces the response to a request: a status with an arbitrary body, a closed connection, or no response. */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  | 'disconnect'
  | 'silence';

type VaultResponse = [status: number, body: unknown];

/** Implements the used part of Vault's HTTP API, with real AES. */
export class VaultServer {
  readonly transit = new TransitEngine();
  readonly tokens = new VaultTokens();
  readonly seen: SeenRequest[] = [];
  /** Each request consumes one. */
  readonly faults: Fault[] = [];
  sealed = false;
  namespace: string | undefined;
  /** The status for a ciphertext that cannot be decrypted; it differs between versions (hashicorp/vault#10842). */
  undecryptableStatus = 400;
  /** Paths that the policy of every token denies. */
  readonly denied = new Set<string>();
  #server: Server | undefined;
  #port = 0;

  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** On the same port again after `stop`. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** Number of requests for this path, without `/v1/`. */
  count(path: string): number {
    return this.seen.filter((request) => request.path === path).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const path = (request.url ?? '').replace(/^\/v1\//, '');
    const fields = JSON.parse(text === '' ? '{}' : text) as TransitFields;
    const seen = { method: request.method ?? '', path, headers: request.headers, fields };
    this.seen.push(seen);
    const fault = this.faults.shift();
    if (fault === 'silence') return;
    if (fault === 'disconnect') {
      request.socket.destroy();
      return;
    }
    const [status, body] = fault === undefined ? this.#respond(seen) : [fault.status, fault.body ?? '{}'];
    response.writeHead(status, { 'content-type': 'application/json', ...fault?.headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  #respond({ method, path, headers, fields }: SeenRequest): VaultResponse {
    if (this.sealed) return [503, { errors: ['Vault is sealed'] }];
    if (headers['x-vault-namespace'] !== this.namespace) return denied();
    if (path === 'auth/approle/login') {
      const auth = this.tokens.logIn(fields['role_id'], fields['secret_id']);
      return auth === undefined ? [400, { errors: ['invalid role or secret ID'] }] : [200, { auth }];
    }
    const token = String(headers['x-vault-token']);
    if (!this.tokens.isValid(token) || this.denied.has(path)) return denied();
    if (path === 'auth/token/lookup-self' && method === 'GET') {
      return [200, { data: this.tokens.lookUp(token) }];
    }
    if (path === 'auth/token/renew-self') {
      const auth = this.tokens.renew(token);
      return auth === undefined ? [400, { errors: ['lease is not renewable'] }] : [200, { auth }];
    }
    return this.#respondToTransit(path, fields);
  }

  #respondToTransit(path: string, fields: TransitFields): VaultResponse {
    const [, action, name = ''] = /^transit\/(encrypt|decrypt|rewrap)\/([^/]+)$/.exec(path) ?? [];
    try {
      if (action === 'encrypt') return [200, { data: this.transit.encrypt(name, fields) }];
      if (action === 'decrypt') return [200, { data: this.transit.decrypt(name, fields) }];
      if (action === 'rewrap') return [200, { data: this.transit.rewrap(name, fields) }];
      return [404, { errors: [`no handler for route "${path}". route entry not found.`] }];
    } catch (error) {
      if (!(error instanceof TransitError)) throw error;
      const isUndecryptable = error.message.includes('authentication failed');
      return [isUndecryptable ? this.undecryptableStatus : 400, { errors: [error.message] }];
    }
  }
}

function denied(): VaultResponse {
  return [403, { errors: ['permission denied'] }];
}

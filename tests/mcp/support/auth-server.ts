import { verify, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An OAuth authorization server, which gives a token for a client's secret, or for an assertion that a key signed. */
export class AuthServer {
  readonly issuer: string;
  /** How each token was asked for, as the client proved itself. */
  readonly asked: ('secret' | 'assertion' | 'nothing')[] = [];
  token = 'token-of-the-authorization-server-0123456789';
  /** The headers of all requests. */
  readonly headers: IncomingMessage['headers'][] = [];
  /** Where tokens are given; default: here. */
  tokenEndpoint: string;
  /** No token is given. */
  isDown = false;
  readonly #server: Server;
  readonly #credentials: { secret: string; publicKey: KeyObject };

  private constructor(server: Server, credentials: { secret: string; publicKey: KeyObject }) {
    this.#server = server;
    this.#credentials = credentials;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.tokenEndpoint = `${this.issuer}/token`;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(credentials: { secret: string; publicKey: KeyObject }): Promise<AuthServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AuthServer(server, credentials);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.headers.push(request.headers);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.url?.startsWith('/.well-known/oauth-authorization-server') === true) {
      return send(200, {
        issuer: this.issuer,
        authorization_endpoint: `${this.issuer}/authorize`,
        token_endpoint: this.tokenEndpoint,
        response_types_supported: ['code'],
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'],
      });
    }
    if (request.method !== 'POST' || request.url !== '/token') return send(404, {});
    if (this.isDown) return send(500, { error: 'server_error' });
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const proof = this.#proofIn(request.headers.authorization ?? '', form.get('client_assertion') ?? '');
    this.asked.push(proof);
    if (proof === 'nothing') return send(401, { error: 'invalid_client' });
    send(200, { access_token: this.token, token_type: 'Bearer', expires_in: 3_600 });
  }

  #proofIn(basic: string, assertion: string): 'secret' | 'assertion' | 'nothing' {
    const expected = Buffer.from(`turnpike:${this.#credentials.secret}`).toString('base64');
    if (basic === `Basic ${expected}`) return 'secret';
    const [head = '', body = '', signature = ''] = assertion.split('.');
    const key = { key: this.#credentials.publicKey, dsaEncoding: 'ieee-p1363' as const };
    const isSigned = verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      key,
      Buffer.from(signature, 'base64url'),
    );
    return isSigned ? 'assertion' : 'nothing';
  }
}

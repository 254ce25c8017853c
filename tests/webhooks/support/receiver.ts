import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';

export interface Received {
  path: string;
  /** The monotonic time, in milliseconds. */
  at: number;
  headers: IncomingHttpHeaders;
  text: string;
  body: {
    id: string;
    type: string;
    created_at: string;
    sequence_number?: number;
    data: Record<string, unknown>;
  };
}

/** Responds to one POST. */
export type Behaviour = (response: ServerResponse, received: Received) => void;

export const answerWith =
  (status: number, headers: Record<string, string> = {}, body = ''): Behaviour =>
  (response) =>
    void response.writeHead(status, headers).end(body);

/** A receiver of webhooks on a real socket: each path behaves as configured, and else responds 204. */
export class Receiver {
  readonly received: Received[] = [];
  readonly behaviours = new Map<string, Behaviour>();
  readonly #server: Server;
  url = '';
  connections = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      request.on('end', () => {
        const path = request.url ?? '';
        const text = Buffer.concat(chunks).toString();
        const body = JSON.parse(text) as Received['body'];
        const received = { path, at: performance.now(), headers: request.headers, text, body };
        this.received.push(received);
        (this.behaviours.get(path) ?? answerWith(204))(response, received);
      });
    });
    this.#server.on('connection', () => (this.connections += 1));
  }

  static async start(host = '127.0.0.1', port = 0): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(port, host);
    await once(receiver.#server, 'listening');
    receiver.url = `http://${host}:${receiver.port}`;
    return receiver;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    return address.port;
  }

  at(path: string): Received[] {
    return this.received.filter((received) => received.path === path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** What a receiver does with each webhook: throws where the signature does not fit. */
export function verify(secret: string, { text, headers }: Pick<Received, 'text' | 'headers'>): unknown {
  return new Webhook(secret).verify(text, headers as Record<string, string>);
}

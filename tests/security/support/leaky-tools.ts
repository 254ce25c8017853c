import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** What a tool does with what it was sent, by its path. */
const WAYS: Record<string, (sent: string, response: ServerResponse) => void> = {
  '/echo': (sent, response) => response.end(sent),
  '/encoded': (sent, response) =>
    response.end(
      [
        Buffer.from(sent).toString('base64'),
        Buffer.from(sent).toString('hex'),
        Buffer.from(sent).toString('base64').replaceAll(/.{20}/g, '$&\n'),
        encodeURIComponent(sent),
        encodeURIComponent(encodeURIComponent(sent)),
        encodeURIComponent(sent).replaceAll(/%../g, (escape) => escape.toLowerCase()),
        JSON.stringify(sent).replaceAll('/', '\\/'),
        sent.replaceAll(/[^]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`),
        headersWithoutTheirEnds(sent),
      ].join('\n'),
    ),
  '/fails': (sent, response) => response.writeHead(500).end(`This went wrong: ${sent}`),
  '/refuses': (sent, response) => response.writeHead(403).end(`Not with this: ${sent}`),
  '/redirects': (sent, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:1/?${encodeURIComponent(sent)}` }).end(sent),
  '/cuts': (sent, response) => {
    response.writeHead(200, { 'content-length': '100000' });
    response.write(sent, () => response.destroy());
  },
  '/hangs': () => undefined,
};

export const LEAKY_TOOLS = Object.keys(WAYS).map((path) => path.slice(1));

/** Tools that repeat all that they got, in every form, or return nothing. Also receives webhooks, and keeps them. */
export class LeakyTools {
  readonly received: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<LeakyTools> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new LeakyTools(server);
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString();
    const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`);
    const way = WAYS[request.url ?? ''];
    if (way !== undefined) {
      way(headers.join('\n'), response);
      return;
    }
    this.received.push(`${request.url}\n${headers.join('\n')}\n${body}`);
    response.end();
  }
}

function headersWithoutTheirEnds(sent: string): string {
  return sent
    .split('\n')
    .map((header) => header.slice(0, -4))
    .join('\n');
}

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';

type Body = Record<string, unknown>;

/** The services that the recipes speak to, all in one. It keeps what it was made to do. */
export class ShopServer {
  readonly charges: { id: string; cents: unknown; reference: unknown }[] = [];
  readonly mails: Body[] = [];
  readonly tickets = new Map<string, number>();
  readonly exported: unknown[] = [];
  readonly refunds: Body[] = [];
  ticketsOpen = true;
  /** Requests of this path act, and get no response until the test ends. */
  silent: string | null = null;
  url = '';
  readonly #server = createServer((request, response) => {
    void this.#serve(request).then((answer) => {
      if (answer !== null) response.end(JSON.stringify(answer));
    });
  });

  static async start(): Promise<ShopServer> {
    const shop = new ShopServer();
    shop.#server.listen(0, '127.0.0.1');
    await once(shop.#server, 'listening');
    const address = shop.#server.address();
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    shop.url = `http://127.0.0.1:${address.port}`;
    return shop;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Null for no response. */
  async #serve(request: IncomingMessage): Promise<unknown> {
    const text = Buffer.concat(await request.toArray()).toString();
    const body = (text === '' ? {} : JSON.parse(text)) as Body;
    const url = new URL(request.url ?? '/', this.url);
    const answer = this.#act(`${request.method} ${url.pathname}`, body, url, request);
    return url.pathname === this.silent && request.method === 'POST' ? null : answer;
  }

  #act(what: string, body: Body, url: URL, { headers }: IncomingMessage): unknown {
    const key = String(headers['idempotency-key']);
    switch (what) {
      case 'POST /charges': {
        const charge = {
          id: `ch_${this.charges.length + 1}`,
          cents: body['cents'],
          reference: body['reference'],
        };
        this.charges.push(charge);
        return charge;
      }
      case 'GET /charges':
        return this.charges.filter(({ reference }) => reference === url.searchParams.get('reference'));
      case 'POST /mails':
        this.mails.push(body);
        return {};
      case 'GET /tickets/status':
        return { open: this.ticketsOpen };
      case 'POST /tickets': {
        const number = this.tickets.get(key) ?? this.tickets.size + 1;
        this.tickets.set(key, number);
        return { number };
      }
      case 'POST /exports': {
        const page = Number(body['page']);
        if (!this.exported.includes(key)) this.exported.push(key);
        return { file: `orders-${page}.csv`, next: page < 3 ? page + 1 : null, pages: 3 };
      }
      case 'POST /refunds':
        this.refunds.push(body);
        return {};
      default:
        return { cents: 1_200 };
    }
  }
}

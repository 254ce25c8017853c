import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const messageSchema = z.looseObject({
  id: z.union([z.string(), z.int()]).optional(),
  method: z.string().optional(),
  params: z.looseObject({}).optional(),
});
type Message = z.infer<typeof messageSchema>;

export interface RawExchange {
  message: Message;
  request: IncomingMessage;
  response: ServerResponse;
  /** Responds with a result. */
  reply(result: unknown): void;
}

/** What a server does otherwise than others, by method. */
export type Misbehaviour = Partial<Record<string, (exchange: RawExchange) => void>>;

/** Servers of protocol 2025-11-25, each at a path of its own, that follow the protocol only where they are not told otherwise. */
export class RawServer {
  readonly url: string;
  /** The methods that were requested, by path. */
  readonly asked = new Map<string, string[]>();
  readonly #server: Server;
  readonly #misbehaviours = new Map<string, Misbehaviour>();

  private constructor(server: Server) {
    this.#server = server;
    const { address, port } = server.address() as AddressInfo;
    this.url = `http://${address}:${port}`;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(host = '127.0.0.1'): Promise<RawServer> {
    const server = createServer();
    server.listen(0, host);
    await once(server, 'listening');
    return new RawServer(server);
  }

  add(path: string, misbehaviour: Misbehaviour): string {
    this.#misbehaviours.set(path, misbehaviour);
    return `${this.url}${path}`;
  }

  countOf(path: string, method: string): number {
    return (this.asked.get(path) ?? []).filter((asked) => asked === method).length;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (chunks.length === 0) return void response.writeHead(405).end();
    const message = messageSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
    const { id, method = '' } = message;
    this.asked.set(path, [...(this.asked.get(path) ?? []), method]);
    const send = (body: object): void => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
    };
    const reply = (result: unknown): void => send({ result });
    const misbehave = this.#misbehaviours.get(path)?.[method];
    if (misbehave !== undefined) return misbehave({ message, request, response, reply });
    switch (method) {
      case 'initialize':
        return reply({
          protocolVersion: '2025-11-25',
          serverInfo: { name: 'raw', version: '1' },
          capabilities: { tools: { listChanged: true } },
        });
      case 'tools/list':
        return reply({ tools: [listed('lookup', { readOnlyHint: true }), listed('pay')] });
      case 'tools/call':
        return reply({ content: [{ type: 'text', text: 'done' }] });
      default:
        if (id === undefined) return void response.writeHead(202).end();
        return send({ error: { code: -32_601, message: 'Method not found' } });
    }
  }
}

/** A tool as a server lists it. */
export function listed(name: string, annotations: object = {}, more: object = {}): object {
  return { name, description: `The tool ${name}.`, inputSchema: { type: 'object' }, annotations, ...more };
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { FixtureTasks } from './fixture-tasks.ts';

/** One tool call that acted here. */
export interface Act {
  tool: string;
  /** Turnpike's id of the call, from `_meta`. */
  callId: string;
}

/**
 * An MCP server of the SDK, protocol 2026-07-28 and, without state, those before. It counts what it did, can hold its
 * responses back, cut its connections, and change its list.
 */
export class FixtureServer {
  readonly url: string;
  readonly acts: Act[] = [];
  /** Methods of all requests, and of each the headers. */
  readonly requests: { method: string; headers: IncomingMessage['headers'] }[] = [];
  /** Tools whose calls act, and then get no response. */
  readonly held = new Set<string>();
  /** Tools whose calls act, and whose connection then ends. */
  readonly cut = new Set<string>();
  description = 'Looks something up.';
  extraTool: string | null = null;
  /** What is responded to every request instead, where it is not null. */
  status: number | null = null;
  /** The token that every request needs, where it is not null, and who gives it. */
  token: string | null = null;
  authorizationServer = '';
  readonly tasks = new FixtureTasks();
  /** How many calls were cancelled by the client. */
  cancelled = 0;
  readonly #server: Server;
  readonly #handler = createMcpHandler(() => this.#build());
  #current: ServerResponse | null = null;

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}/mcp`;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<FixtureServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FixtureServer(server);
  }

  countOf(tool: string): number {
    return this.acts.filter((act) => act.tool === tool).length;
  }

  async stop(): Promise<void> {
    await this.#handler.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const method = /"method":"([^"]+)"/.exec(body)?.[1] ?? request.method ?? '';
    this.requests.push({ method, headers: request.headers });
    if (this.status !== null) return void response.writeHead(this.status).end();
    if (this.token !== null && !this.#isAuthorized(request, response)) return undefined;
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
    this.#current = response;
    const given = await this.#handler.fetch(
      new Request(`http://127.0.0.1${request.url ?? '/'}`, {
        method: request.method ?? 'GET',
        headers,
        signal: gone.signal,
        ...(body === '' ? {} : { body }),
      }),
    );
    response.writeHead(given.status, Object.fromEntries(given.headers));
    if (given.body === null) return void response.end();
    const stream = Readable.fromWeb(given.body);
    stream.on('error', () => response.destroy());
    stream.pipe(response);
  }

  /** Responds where a request has no token, or asks who gives one. */
  #isAuthorized({ url, headers }: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = new URL(this.url);
    const metadata = '/.well-known/oauth-protected-resource/mcp';
    if (url === metadata) {
      const body = { resource: this.url, authorization_servers: [this.authorizationServer] };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return false;
    }
    if (headers.authorization === `Bearer ${this.token}`) return true;
    const challenge = `Bearer resource_metadata="${origin}${metadata}"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
    return false;
  }

  async #act(tool: string, context: ServerContext): Promise<void> {
    const connection = this.#current;
    const meta: Record<string, unknown> = context.mcpReq._meta ?? {};
    this.acts.push({ tool, callId: String(meta['turnpike/tool_call_id']) });
    if (this.cut.has(tool)) connection?.destroy();
    if (!this.held.has(tool) && !this.cut.has(tool)) return;
    await new Promise<void>((resolve) => {
      context.mcpReq.signal.addEventListener('abort', () => {
        this.cancelled += 1;
        resolve();
      });
    });
  }

  #build(): McpServer {
    const server = new McpServer({ name: 'fixture', version: '1.0.0' });
    const register = (name: string, annotations: Record<string, boolean>): void => {
      const description = name === 'lookup' ? this.description : `The tool ${name}.`;
      server.registerTool(
        name,
        { description, inputSchema: z.object({ key: z.string().default('k') }), annotations },
        async ({ key }, context) => {
          await this.#act(name, context);
          return { content: [{ type: 'text', text: `${name} ${key}` }] };
        },
      );
    };
    register('lookup', { readOnlyHint: true });
    register('put', { idempotentHint: true });
    register('pay', {});
    register('erase', { destructiveHint: true });
    register('odd.name.with.dots', { readOnlyHint: true });
    this.tasks.addTo(server, (tool, meta) => {
      this.acts.push({ tool, callId: String(meta['turnpike/tool_call_id']) });
    });
    if (this.extraTool !== null) register(this.extraTool, {});
    server.registerTool(
      'book',
      { description: 'Books a table.', inputSchema: z.object({ place: z.string().default('here') }) },
      async ({ place }, context) => {
        const schema = z.object({ people: z.number().int() });
        const answer = acceptedContent(context.mcpReq.inputResponses, 'people', schema);
        if (context.mcpReq.inputResponses === undefined) {
          return inputRequired({
            inputRequests: {
              people: inputRequired.elicit({ message: `How many, at ${place}?`, requestedSchema: schema }),
            },
            requestState: 'state-of-the-server',
          });
        }
        this.acts.push({ tool: 'book', callId: '' });
        return { content: [{ type: 'text', text: `booked for ${answer?.people ?? 'nobody'}` }] };
      },
    );
    server.registerTool(
      'show',
      { description: 'Shows everything.', inputSchema: z.object({}), annotations: { readOnlyHint: true } },
      () => ({
        content: [
          { type: 'audio', mimeType: 'audio/wav', data: 'UklGRg==' },
          { type: 'resource_link', uri: 'file:///a.txt', name: 'a', mimeType: 'text/plain' },
          {
            type: 'resource',
            resource: { uri: 'file:///b.txt', mimeType: 'text/plain', text: 'embedded text' },
          },
        ],
        structuredContent: { answer: 42 },
      }),
    );
    return server;
  }
}

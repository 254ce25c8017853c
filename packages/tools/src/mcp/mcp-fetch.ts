import { Readable } from 'node:stream';
import type { FetchLike } from '@modelcontextprotocol/client';
import { EgressUnreachableError, readAll } from '@turnpike/egress';

const BODILESS = new Set([101, 204, 205, 304]);

export interface McpFetchSettings {
  /** Sends through the guard of addresses. */
  send: typeof globalThis.fetch;
  /** The server. Its headers are sent nowhere else. */
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Called before anything but the server itself is asked, such as for a token. What it throws refuses the request. */
  checkElsewhere(url: string, method: string): Promise<void>;
  /** Called each time that a tool call is about to be sent. What it throws ends the call before that. */
  beforeCall(): void;
  /** The server refused a tool call for want of authorization, so it has not read it. */
  onRefused(): void;
}

/** Of a token, or of what a server says of those who give one. */
const MOST_BYTES_ELSEWHERE = 262_144;
const REFUSALS = new Set([401, 403]);
/** The client sends it with tool calls alone, and again with each repetition of one: what it holds is the call's id. */
export const CALL_ID_HEADER = 'idempotency-key';

/**
 * The `fetch` of the MCP client: through the guard, with the configured headers for the server alone. The client's own
 * headers win, except that a configured `Authorization` stays where the client sends none.
 */
export function createMcpFetch({
  send,
  url,
  headers,
  checkElsewhere,
  beforeCall,
  onRefused,
}: McpFetchSettings): FetchLike {
  const server = new URL(url);
  return async (input, init = {}) => {
    const target = new URL(input);
    const method = init.method ?? 'GET';
    const isServer = target.origin === server.origin && target.pathname === server.pathname;
    if (!isServer) await checkElsewhere(target.href, method);
    const all = new Headers(isServer ? { ...headers } : {});
    for (const [name, value] of new Headers(init.headers)) all.set(name, value);
    // A server may close an idle connection just as a call is sent on it: then nobody knows whether the call arrived.
    all.set('connection', 'close');
    const body = init.body === undefined || init.body === null ? {} : { body: bodyText(init.body) };
    const isCall = isServer && new Headers(init.headers).has(CALL_ID_HEADER);
    if (isCall) beforeCall();
    const response = await send(target.href, {
      method,
      headers: all,
      ...body,
      ...(init.signal ? { signal: init.signal } : {}),
    }).catch((error: unknown) => {
      throw asUnreachable(error, target.host);
    });
    // The server itself streams, also where it has redirected within its origin.
    if (all.get('accept')?.includes('text/event-stream') !== true) return boundedResponse(response);
    if (isCall && REFUSALS.has(response.status)) onRefused();
    return asWebResponse(response);
  };
}

/** All of a response that is short. */
async function boundedResponse(response: Response): Promise<Response> {
  const { status, headers } = response;
  const body = await readAll(response, MOST_BYTES_ELSEWHERE);
  if (body === null) throw new Error('The response is too long.');
  return new Response(BODILESS.has(status) ? null : body, { status, headers });
}

/** A failure to connect as the guard's own error, which says that nothing was sent. */
function asUnreachable(error: unknown, host: string): unknown {
  const isConnect = error instanceof Error && 'syscall' in error && error.syscall === 'connect';
  return isConnect
    ? new EgressUnreachableError('connect_failed', `${host} cannot be connected to.`, error)
    : error;
}

function bodyText(body: NonNullable<RequestInit['body']>): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('The MCP client sent a body that is no text.');
}

/** The guard gives its bodies as Node streams; the client reads them as web streams. */
function asWebResponse(response: Response): Response {
  const { status, headers } = response;
  const body: unknown = response.body;
  if (BODILESS.has(status) || !(body instanceof Readable)) return response;
  return new Response(Readable.toWeb(body) as ReadableStream<Uint8Array>, { status, headers });
}

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { allows, ProblemError } from '@turnpike/contract';
import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import type { Authenticate } from '../authenticate.ts';
import type { BodyMemory } from '../body-memory.ts';
import { limitRate } from '../limit-rate.ts';
import { addLogFields, spanOf } from '../log-requests.ts';
import { readBody } from '../read-body.ts';
import type { RequestRates } from '../request-rates.ts';
import { requesterOf, setRequester } from '../requester.ts';
import type { Services } from '../route.ts';
import { addAgentTools } from './agent-tools.ts';
import type { McpRequester } from './mcp-requester.ts';

const ABOUT = { name: 'turnpike', title: 'Turnpike', version: '1.0.0' };
const INSTRUCTIONS =
  'Each tool gives work to an agent. A call returns the answer where it comes soon; else it returns the id of a turn, ' +
  'which goes on: ask for it with get_turn until it has ended.';

/** For one request: a comment on a stream that is silent for longer. Milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Turnpike as an MCP server: the tenant's agents as tools, for keys with the scope `mcp`. It keeps no state between
 * requests, so that any API process can serve any of them. Protocol 2026-07-28, and those before without sessions.
 */
export function serveMcp(
  services: Services,
  settings: { authenticate: Authenticate; rates: RequestRates; bodies: BodyMemory; maxBodyBytes: number },
): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const requesters = new WeakMap<globalThis.Request, McpRequester>();
  const handler = createMcpHandler(
    async ({ requestInfo }) => {
      const requester = requestInfo === undefined ? undefined : requesters.get(requestInfo);
      if (requester === undefined) throw new Error('An MCP request was not authenticated.');
      const server = new McpServer(ABOUT, { instructions: INSTRUCTIONS });
      await addAgentTools(server, services, requester);
      return server;
    },
    {
      keepAliveMs: KEEP_ALIVE_MS,
      // Nothing is announced: a list is as long as the tenant's agents, and clients ask for it.
      maxSubscriptions: 1,
      onerror: (error) => services.reportError(error, { endpoint: 'mcp' }),
    },
  );

  const identify: RequestHandler = async (request, response, next) => {
    const { tenantId, keyId, scopes, limits } = await settings.authenticate(request);
    addLogFields(response, { route: '/mcp', operation: 'mcp', ids: { tenant_id: tenantId } });
    limitRate(response, await settings.rates.admit(tenantId, limits.requests_per_second));
    if (!allows(scopes, 'mcp')) {
      throw new ProblemError('insufficient_scope', 'This needs a key with the scope mcp.');
    }
    const maxBodyBytes = Math.min(limits.max_body_bytes, settings.maxBodyBytes);
    setRequester(response, { tenantId, keyId, scopes, limits: { ...limits, max_body_bytes: maxBodyBytes } });
    next();
  };
  const readBodies = readBody(settings.bodies, (response) => {
    const { tenantId, limits } = requesterOf(response);
    return { tenantId, maxBytes: limits.max_body_bytes };
  });
  const serve: RequestHandler = async (request, response) => {
    const { tenantId, limits } = requesterOf(response);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const web = asWebRequest(request, gone.signal);
    requesters.set(web, {
      tenantId,
      limits,
      idempotencyKey: request.get('idempotency-key') ?? null,
      traceparent: spanOf(response)?.traceparent ?? null,
      gone: gone.signal,
    });
    const body: unknown = request.body;
    const answer = await handler.fetch(web, body === undefined ? {} : { parsedBody: body });
    await sendWebResponse(answer, response);
  };
  router.all('/mcp', [identify, readBodies, serve]);
  return router;
}

/** Without its body, which has been read, and without the key. */
function asWebRequest(request: Request, signal: AbortSignal): globalThis.Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name === 'authorization' || name === 'x-api-key' || value === undefined) continue;
    headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return new globalThis.Request(`http://localhost${request.originalUrl}`, {
    method: request.method,
    headers,
    signal,
  });
}

async function sendWebResponse(answer: globalThis.Response, response: Response): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  if (answer.body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  // A client that disconnects ends the stream: that is no error of ours.
  await pipeline(Readable.fromWeb(answer.body), response).catch(() => undefined);
}

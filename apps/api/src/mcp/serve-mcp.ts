import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { allows } from '@turnpike/contract';
import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { identify, readBodies, type AdmissionSettings } from '../identify.ts';
import { limitRate } from '../limit-rate.ts';
import { spanOf } from '../log-requests.ts';
import { requesterOf } from '../requester.ts';
import type { Services } from '../route.ts';
import { whenGone } from '../when-gone.ts';
import { addAgentTools } from './agent-tools.ts';
import type { McpRequester } from './mcp-requester.ts';
import { needsAgents } from './needs-agents.ts';
import { addTurnTasks } from './turn-tasks.ts';

const ABOUT = { name: 'turnpike', title: 'Turnpike', version: '1.0.0' };
const INSTRUCTIONS =
  'Each tool gives work to an agent. A call returns the answer where it comes soon; else it returns the id of a turn, ' +
  'which goes on: ask for it with get_turn until it has ended.';

/** Nothing is announced: a list is as long as the tenant's agents, and clients ask for it. */
const CAPABILITIES = { tools: { listChanged: false } };
/** Of a batch, which protocol 2025-03-26 has. The SDK refuses longer ones. */
const MOST_MESSAGES = 100;

/** For one request: a comment on a stream that is silent for longer. Milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Turnpike as an MCP server: the tenant's agents as tools, for keys with the scope `mcp`. It keeps no state between
 * requests, so that any API process can serve any of them. Protocol 2026-07-28, and those before without sessions.
 */
export function serveMcp(services: Services, settings: AdmissionSettings): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const requesters = new WeakMap<globalThis.Request, McpRequester>();
  const handler = createMcpHandler(
    async ({ requestInfo, era }) => {
      const requester = requestInfo === undefined ? undefined : requesters.get(requestInfo);
      if (requester === undefined) throw new Error('An MCP request was not authenticated.');
      const server = new McpServer(ABOUT, { instructions: INSTRUCTIONS, capabilities: CAPABILITIES });
      await addAgentTools(server, services, requester);
      if (era === 'modern') addTurnTasks(server, services, requester);
      return server;
    },
    {
      keepAliveMs: KEEP_ALIVE_MS,
      maxSubscriptions: 0,
      onerror: (error) => services.reportError(error, { endpoint: 'mcp' }),
    },
  );

  const serve: RequestHandler = async (request, response) => {
    const { tenantId, limits, scopes } = requesterOf(response);
    const gone = whenGone(response);
    const web = asWebRequest(request, gone);
    const body: unknown = request.body;
    if (Array.isArray(body)) await admitRest(settings, response, body.length);
    requesters.set(web, {
      tenantId,
      limits,
      may: (scope) => allows(scopes, scope),
      idempotencyKey: request.get('idempotency-key') ?? null,
      traceparent: spanOf(response)?.traceparent ?? null,
      gone,
      needsAgents: needsAgents(body),
    });
    const answer = await handler.fetch(web, body === undefined ? {} : { parsedBody: body });
    await sendWebResponse(answer, response);
  };
  const operation = { path: '/mcp', operationId: 'mcp', scope: 'mcp' } as const;
  router.all('/mcp', [identify(settings, operation), readBodies(settings), serve]);
  return router;
}

/** Each message of a batch counts as a request; the first was admitted already. Throws `rate_limited`. */
async function admitRest({ rates }: AdmissionSettings, response: Response, messages: number): Promise<void> {
  const { tenantId, limits } = requesterOf(response);
  for (let count = 1; count < Math.min(messages, MOST_MESSAGES); count += 1) {
    limitRate(response, await rates.admit(tenantId, limits.requests_per_second));
  }
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

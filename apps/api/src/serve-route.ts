import { allows } from '@turnpike/contract';
import { runOnce, transaction, type IdempotentRequest, type Sql, type StoredResponse } from '@turnpike/store';
import { submitTurn, type RequestedTurn } from '@turnpike/turns';
import type { Request, Response } from 'express';
import { actOf, auditAct, auditedAs } from './audit-act.ts';
import { checkMetadata } from './check-count.ts';
import { idempotencyOf } from './idempotency-key.ts';
import { idsInPath, idsInResponse } from './log-ids.ts';
import { addLogFields, spanOf } from './log-requests.ts';
import { parseBody, parseParams, parseQuery } from './parse-request.ts';
import { requestIdOf } from './request-id.ts';
import { requesterOf } from './requester.ts';
import type { Call, Route, RouteResult, Services } from './route.ts';

type AnyCall = Call<Record<string, unknown>, Record<string, unknown>, unknown>;
type Handle = (sql: Sql) => Promise<RouteResult>;

/** Serves an authenticated request. Throws `ProblemError`, or what the handler throws, before anything is sent. */
export async function serveRoute(
  route: Route,
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const { tenantId, keyId, limits, scopes } = requesterOf(response);
  const call: AnyCall = {
    tenantId,
    limits,
    params: parseParams(route, request.params),
    query: parseQuery(route, request.query),
    body: parseBody(route, request.body),
    header: (name) => request.get(name),
    may: (scope) => allows(scopes, scope),
    sql: services.database.pool,
    whenGone: () => whenGone(response),
  };
  addLogFields(response, { ids: idsInPath(call.params) });
  checkMetadata(call.body, limits);
  await route.prepare?.(call, services);
  const idempotency = route.method === 'post' ? idempotencyOf(request, tenantId, call.body) : null;
  if ('submit' in route) return serveSubmit(services, response, route.submit(call), idempotency);
  const handle: Handle = async (sql) => {
    const result = await route.handle({ ...call, sql }, services);
    const action = actOf(route, result);
    if (action === null) return result;
    const actor = { tenantId, keyId, requestId: requestIdOf(response) };
    await auditAct(sql, actor, action, { params: call.params, result });
    return result;
  };
  if (idempotency !== null) return serveOnce(services, response, handle, idempotency);
  const isAudited = auditedAs(route) !== null || route.auditSome !== undefined;
  const { pool } = services.database;
  sendResult(response, await (isAudited ? transaction(pool, handle) : handle(pool)));
}

/** `submitTurn` keeps idempotency keys itself: turns that are submitted together share a transaction. */
async function serveSubmit(
  services: Services,
  response: Response,
  requested: RequestedTurn,
  idempotency: IdempotentRequest | null,
): Promise<void> {
  const { tenantId, limits } = requesterOf(response);
  const traceparent = spanOf(response)?.traceparent ?? null;
  const result = await submitTurn(services, { tenantId, limits, requested, idempotency, traceparent });
  if (result.turn === null) return sendReplay(response, result.response);
  const { turn } = result;
  if (turn.status === 'queued') services.waiters.fresh.add(tenantId, turn.id);
  addLogFields(response, { ids: idsInResponse(turn) });
  send(response, result.response);
}

/** A request of any other operation, with an idempotency key: `handle` is run in the transaction of its record. */
async function serveOnce(
  { database }: Services,
  response: Response,
  handle: Handle,
  idempotency: IdempotentRequest,
): Promise<void> {
  const once = await runOnce(database.pool, idempotency, handle, toResponse);
  if ('replay' in once) sendReplay(response, once.replay);
  else sendResult(response, once.done);
}

function sendResult(response: Response, result: RouteResult): void {
  addLogFields(response, { ids: idsInResponse(result.body) });
  result.afterCommit?.();
  if (result.stream !== undefined) return result.stream(response);
  const body =
    result.shownOnce === undefined ? result.body : Object.assign({}, result.body, result.shownOnce);
  send(response, toResponse({ ...result, body }));
}

function sendReplay(response: Response, replay: StoredResponse): void {
  response.set('Idempotent-Replayed', 'true');
  send(response, replay);
}

function toResponse({ status, headers = {}, body }: RouteResult): StoredResponse {
  return { status, headers, body: body === undefined ? '' : JSON.stringify(body) };
}

/** Without Express's `send`, which reads and sets each header again: every response of an operation comes by here. */
function send(response: Response, { status, headers, body }: StoredResponse): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body === '') {
    response.end();
    return;
  }
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

/** Made once: without a reason, each abort makes an error with a stack. */
const CLOSED = new Error('The client has disconnected.');

/** Aborts when the client has disconnected before its response was complete. */
function whenGone(response: Response): AbortSignal {
  const gone = new AbortController();
  // It may have disconnected while it was authenticated.
  if (response.destroyed) gone.abort(CLOSED);
  else response.once('close', () => gone.abort(CLOSED));
  return gone.signal;
}

import { allows, type Scope } from '@turnpike/contract';
import { runOnce, transaction, type IdempotentRequest, type Sql, type StoredResponse } from '@turnpike/store';
import type { RequestedTurn } from '@turnpike/turns';
import type { Request, Response } from 'express';
import { auditedAs, auditOperation } from './audit-act.ts';
import { checkMetadata } from './check-count.ts';
import { isForm } from './files/receive-form.ts';
import { idempotencyOf } from './idempotency-key.ts';
import { idsInPath, idsInResponse } from './log-ids.ts';
import { addLogFields, spanOf } from './log-requests.ts';
import { originOf } from './origin-of.ts';
import { parseBody, parseParams, parseQuery } from './parse-request.ts';
import { requestIdOf } from './request-id.ts';
import { requesterOf } from './requester.ts';
import type { AnyCall, KeyedRequest, Route, RouteResult, Services } from './route.ts';
import { submitRequested } from './submit-requested.ts';
import { whenGone } from './when-gone.ts';

type Handle = (sql: Sql) => Promise<RouteResult>;

/** Serves an authenticated request. Throws `ProblemError`, or what the handler throws, before anything is sent. */
export async function serveRoute(
  route: Route,
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const { tenantId, keyId, limits, scopes } = requesterOf(response);
  const asker = {
    tenantId,
    limits,
    sql: services.database.pool,
    may: (scope: Scope) => allows(scopes, scope),
  };
  const received =
    route.form !== undefined && isForm(request)
      ? await route.form.receive(request, response, asker, services)
      : null;
  const call: AnyCall = {
    ...asker,
    actor: { tenantId, keyId, requestId: requestIdOf(response) },
    params: parseParams(route, request.params),
    query: parseQuery(route, request.query),
    body: received === null ? parseBody(route, request.body) : received.body,
    received,
    header: (name) => request.get(name),
    origin: originOf(request),
    whenGone: () => whenGone(response),
  };
  addLogFields(response, { ids: idsInPath(call.params) });
  checkMetadata(call.body, limits);
  const prepared: unknown = await route.prepare?.(call, services);
  const idempotency =
    route.method === 'post'
      ? idempotencyOf(request, tenantId, received === null ? call.body : received.fingerprint)
      : null;
  const traceparent = spanOf(response)?.traceparent ?? null;
  if ('submit' in route)
    return serveSubmit(services, response, call, route.submit(call), { idempotency, traceparent });
  if ('handleKeyed' in route)
    return sendResult(response, await route.handleKeyed(call, services, { idempotency, traceparent }));
  const action = auditedAs(route);
  const handle: Handle = async (sql) => {
    const result = await route.handle({ ...call, sql, prepared }, services);
    if (action !== null) await auditOperation(sql, call.actor, action, { params: call.params, result });
    return result;
  };
  if (idempotency !== null) return serveOnce(services, response, handle, idempotency);
  const { pool } = services.database;
  if (route.mayLag === true && services.replica != null)
    return sendResult(response, await services.replica.read(handle));
  sendResult(response, await (action !== null ? transaction(pool, handle) : handle(pool)));
}

/** `submitTurn` keeps idempotency keys itself: turns that are submitted together share a transaction. */
async function serveSubmit(
  services: Services,
  response: Response,
  call: AnyCall,
  requested: RequestedTurn,
  keyed: KeyedRequest,
): Promise<void> {
  const result = await submitRequested(services, call, requested, keyed);
  if (result.turn === null) return sendReplay(response, result.response);
  addLogFields(response, { ids: idsInResponse(result.turn) });
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
  if (result.isReplay === true) response.set('Idempotent-Replayed', 'true');
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

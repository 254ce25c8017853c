import { allows, ProblemError, type Limits, type Scope } from '@turnpike/contract';
import { runOnce, transaction, type IdempotentRequest, type Sql, type StoredResponse } from '@turnpike/store';
import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { actOf, auditAct, auditedAs } from './audit-act.ts';
import type { Authenticate } from './authenticate.ts';
import { checkMetadata } from './check-count.ts';
import type { BodyMemory } from './body-memory.ts';
import { fingerprintOf, parseIdempotencyKey } from './idempotency-key.ts';
import { idsInResponse, idsInPath } from './log-ids.ts';
import { addLogFields, spanOf } from './log-requests.ts';
import { parseBody, parseParams, parseQuery } from './parse-request.ts';
import { readBody } from './read-body.ts';
import type { RequestRates } from './request-rates.ts';
import { limitRate } from './limit-rate.ts';
import { requestIdOf } from './request-id.ts';
import type { Answer, Call, Route, Services } from './route.ts';

type AnyCall = Call<Record<string, unknown>, Record<string, unknown>, unknown>;

/** A router of these operations. Who asks is known before a byte of the body is read. */
export function mountRoutes(
  routes: readonly Route[],
  services: Services,
  settings: { authenticate: Authenticate; rates: RequestRates; bodies: BodyMemory; maxBodyBytes: number },
): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const readBodies = readBody(settings.bodies, (response) => ({
    tenantId: String(response.locals['tenantId']),
    maxBytes: limitsOf(response).max_body_bytes,
  }));
  for (const route of routes) {
    const identify: RequestHandler = async (request, response, next) => {
      const { tenantId, keyId, scopes, limits } = await settings.authenticate(request);
      addLogFields(response, {
        route: route.path,
        operation: route.operationId,
        ids: { tenant_id: tenantId },
      });
      limitRate(response, await settings.rates.admit(tenantId, limits.requests_per_second));
      if (!allows(scopes, route.scope)) {
        throw new ProblemError('insufficient_scope', `This needs a key with the scope ${route.scope}.`);
      }
      Object.assign(response.locals, { tenantId, keyId, scopes });
      const maxBodyBytes = Math.min(limits.max_body_bytes, settings.maxBodyBytes);
      response.locals['limits'] = { ...limits, max_body_bytes: maxBodyBytes };
      next();
    };
    const serve: RequestHandler = (request, response) => serveRoute(route, services, request, response);
    router[route.method](route.path, identify, readBodies, serve);
  }
  for (const [path, methods] of methodsByPath(routes)) {
    router.all(path, (_request, response) => {
      response.set('Allow', methods.join(', '));
      throw new ProblemError('method_not_allowed', `Only ${methods.join(', ')} can be used here.`);
    });
  }
  return router;
}

async function serveRoute(
  route: Route,
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const tenantId = String(response.locals['tenantId']);
  const limits = limitsOf(response);
  const call: AnyCall = {
    tenantId,
    limits,
    params: parseParams(route, request.params),
    query: parseQuery(route, request.query),
    body: parseBody(route, request.body),
    header: (name) => request.get(name),
    may: (scope) => allows(response.locals['scopes'] as readonly Scope[], scope),
    limitToEnforce: keepFound((counted) => services.room.limitToEnforce(counted, tenantId, limits)),
    sql: services.database.pool,
    traceparent: spanOf(response)?.traceparent ?? null,
    whenGone: () => whenGone(response),
  };
  addLogFields(response, { ids: idsInPath(call.params) });
  checkMetadata(call.body, limits);
  await route.prepare?.(call, services);
  const header = request.get('idempotency-key');
  if (route.method === 'post' && header !== undefined) {
    const once = {
      tenantId,
      route: `${request.method} ${request.baseUrl}${request.path}`,
      key: parseIdempotencyKey(header),
      fingerprint: fingerprintOf(call.body),
    };
    await serveOnce(route, services, response, call, once);
    return;
  }
  const answer =
    auditedAs(route) === null && route.auditSome === undefined
      ? await route.handle(call, services)
      : await transaction(services.database.pool, (sql) => act(route, services, response, call, sql));
  addLogFields(response, { ids: idsInResponse(answer.body) });
  answer.afterCommit?.();
  if (answer.stream !== undefined) answer.stream(response);
  else send(response, encode(withShownOnce(answer)));
}

/** Aborts when the client has gone before its answer was complete. */
function whenGone(response: Response): AbortSignal {
  const gone = new AbortController();
  // It may have gone while we asked who it is.
  if (response.destroyed) gone.abort();
  else response.once('close', () => gone.abort());
  return gone.signal;
}

/** Handles it in a transaction, and writes it down there where it is an administrative act. */
async function act(
  route: Route,
  services: Services,
  response: Response,
  call: AnyCall,
  sql: Sql,
): Promise<Answer> {
  const answer = await route.handle({ ...call, sql }, services);
  const action = actOf(route, answer);
  if (action === null) return answer;
  const keyId = String(response.locals['keyId']);
  const requester = { tenantId: call.tenantId, keyId, requestId: requestIdOf(response) };
  await auditAct(sql, requester, action, { params: call.params, answer });
  return answer;
}

async function serveOnce(
  route: Route,
  services: Services,
  response: Response,
  call: AnyCall,
  request: IdempotentRequest,
): Promise<void> {
  const { answer, made, replayed } = await answerKeyed(route, services, response, call, request);
  addLogFields(response, { ids: idsInResponse(made?.body) });
  made?.afterCommit?.();
  if (replayed) response.set('Idempotent-Replayed', 'true');
  send(response, made?.shownOnce === undefined ? answer : encode(withShownOnce(made)));
}

/** The answer that is kept, and what it was made of where it was made now. */
async function answerKeyed(
  route: Route,
  services: Services,
  response: Response,
  call: AnyCall,
  request: IdempotentRequest,
): Promise<{ answer: StoredResponse; made: Answer | undefined; replayed: boolean }> {
  let shared: Answer | undefined;
  const keep = (answer: Answer): StoredResponse => encode((shared = answer));
  const kept = await route.share?.(call, services, { request, keep });
  if (kept != null) return { answer: kept, made: shared, replayed: false };
  let made: Answer | undefined;
  const { answer, replayed } = await runOnce(services.database, request, async (sql) => {
    made = await act(route, services, response, call, sql);
    return encode(made);
  });
  return { answer, made, replayed };
}

/** What was found is kept; where nothing was, it is looked for anew. */
function keepFound<Given, Found>(find: (given: Given) => Found | null): (given: Given) => Found | null {
  const found = new Map<Given, Found>();
  return (given) => {
    const kept = found.get(given) ?? find(given);
    if (kept !== null) found.set(given, kept);
    return kept;
  };
}

/** As they were found when the request was identified. */
function limitsOf(response: Response): Limits {
  return response.locals['limits'] as Limits;
}

function withShownOnce(answer: Answer): Answer {
  if (answer.shownOnce === undefined) return answer;
  return { ...answer, body: Object.assign({}, answer.body, answer.shownOnce) };
}

function encode(answer: Answer): StoredResponse {
  const body = answer.body === undefined ? '' : JSON.stringify(answer.body);
  return { status: answer.status, headers: answer.headers ?? {}, body };
}

function send(response: Response, answer: StoredResponse): void {
  response.status(answer.status).set(answer.headers);
  if (answer.body === '') response.end();
  else response.type('application/json').send(answer.body);
}

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const route of routes) {
    const known = methods.get(route.path) ?? [];
    methods.set(route.path, [...known, route.method.toUpperCase()]);
  }
  return methods;
}

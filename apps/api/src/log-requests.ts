import { traceIdOf, type Logger, type Metrics, type Span, type Tracing } from '@turnpike/telemetry';
import type { Request, RequestHandler, Response } from 'express';
import type { LogIds } from './log-ids.ts';
import { requestIdOf } from './request-id.ts';

interface LogFields {
  route?: string;
  operation?: string;
  ids?: LogIds;
}

/** What is known of a request while it is served. */
interface RequestLog extends LogFields {
  ids: LogIds;
  span: Span | null;
}

const requestLogs = new WeakMap<Response, RequestLog>();

/** Probes request these every second; their lines are logged at the level `debug`. */
const QUIET = new Set(['/livez', '/readyz']);

const ACCEPTING = new Set(['submitTurn', 'startTurn', 'resumeTurn', 'rerunTurn']);

/** Adds fields to the request's log lines; ids are added to those that it has. */
export function addLogFields(response: Response, added: LogFields): void {
  const known = requestLogs.get(response);
  if (known === undefined) return;
  const { ids, ...rest } = added;
  Object.assign(known, rest);
  Object.assign(known.ids, ids);
}

/** The fields that were added so far. */
export function logFieldsOf(response: Response): Record<string, unknown> {
  const { route, ids, span } = requestLogs.get(response) ?? { ids: {}, span: null };
  const trace = traceIdOf(span?.traceparent ?? null);
  return { route: route ?? null, ...ids, ...(trace === undefined ? {} : { trace_id: trace }) };
}

export function spanOf(response: Response): Span | null {
  return requestLogs.get(response)?.span ?? null;
}

/**
 * Logs one line for each request: its route, its tenant, its status. No body, no query, no key. `share`: of those that
 * succeed, so many are logged, from 0 to 1.
 */
export function logRequests(
  logger: Logger,
  metrics: Metrics,
  tracing: Tracing,
  share: number,
): RequestHandler {
  return (request, response, next) => {
    const began = performance.now();
    const isQuiet = QUIET.has(request.path);
    const span = isQuiet ? null : startSpan(tracing, request);
    requestLogs.set(response, { ids: {}, span });
    // A request that is destroyed has no connection any more.
    const { ip } = request;
    response.once('close', () => {
      const { route = 'none', operation, ids } = requestLogs.get(response) ?? { ids: {} };
      const { statusCode: status } = response;
      const seconds = (performance.now() - began) / 1000;
      const fields = {
        method: request.method,
        status,
        finished: response.writableFinished,
        duration_ms: Math.round(seconds * 1000),
        request_id: requestIdOf(response),
        client_address: ip,
        client_request_id: request.get('x-request-id')?.slice(0, 128),
        ...logFieldsOf(response),
      };
      const labels = { route, method: request.method, status: `${Math.floor(status / 100)}xx` };
      metrics.requests.observe(labels, seconds);
      if (status === 202 && ACCEPTING.has(operation ?? '')) metrics.accepts.observe(seconds);
      span?.rename(`${request.method} ${route}`);
      span?.set({
        'http.route': route,
        'http.response.status_code': status,
        'turnpike.request.id': requestIdOf(response),
        ...Object.fromEntries(
          Object.entries(ids).map(([name, id]) => [`turnpike.${name.replace(/_id$/, '.id')}`, id]),
        ),
      });
      span?.end(status >= 500 ? String(status) : undefined);
      const isChosen = status >= 400 || Math.random() < share;
      if (isQuiet || !isChosen) logger.debug('Request.', fields);
      else logger.info('Request.', fields);
    });
    next();
  };
}

/**
 * Begins a new trace, linked to the client's. Were the client's span its parent, tenants could write into each other's
 * traces, and decide what is sampled.
 */
function startSpan(tracing: Tracing, request: Request): Span {
  return tracing.start(request.method, {
    kind: 'server',
    link: request.get('traceparent'),
    attributes: { 'http.request.method': request.method, 'url.scheme': request.protocol },
  });
}

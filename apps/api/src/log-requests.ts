import type { Logger, Metrics } from '@turnpike/telemetry';
import type { RequestHandler, Response } from 'express';
import { requestIdOf } from './request-id.ts';

interface Noted {
  route?: string;
  tenantId?: string;
}

const noted = new WeakMap<Response, Noted>();

/** Notes what the access log should say beside the status. */
export function noteForLog(response: Response, note: Noted): void {
  noted.set(response, { ...noted.get(response), ...note });
}

/** One line a request: which route, for whom, how it ended. No body, no query, no key. */
export function logRequests(logger: Logger, metrics: Metrics): RequestHandler {
  return (request, response, next) => {
    const began = performance.now();
    response.once('close', () => {
      const { route, tenantId } = noted.get(response) ?? {};
      const fields = {
        method: request.method,
        route: route ?? null,
        status: response.statusCode,
        finished: response.writableFinished,
        duration_ms: Math.round(performance.now() - began),
        request_id: requestIdOf(response),
        client_request_id: request.get('x-request-id')?.slice(0, 128),
        tenant_id: tenantId,
      };
      const status = `${Math.floor(response.statusCode / 100)}xx`;
      const seconds = (performance.now() - began) / 1000;
      metrics.requests.observe({ route: route ?? 'none', method: request.method, status }, seconds);
      // Probes come every second and say nothing.
      if (request.path === '/livez' || request.path === '/readyz') logger.debug('Request.', fields);
      else logger.info('Request.', fields);
    });
    next();
  };
}

import { allows, ProblemError } from '@turnpike/contract';
import express, { type RequestHandler, type Router } from 'express';
import type { Authenticate } from './authenticate.ts';
import type { BodyMemory } from './body-memory.ts';
import { limitRate } from './limit-rate.ts';
import { addLogFields } from './log-requests.ts';
import { readBody } from './read-body.ts';
import type { RequestRates } from './request-rates.ts';
import { requesterOf, setRequester } from './requester.ts';
import type { Route, Services } from './route.ts';
import { serveRoute } from './serve-route.ts';

/** A router of these operations. The requester is authenticated before a byte of the body is read. */
export function mountRoutes(
  routes: readonly Route[],
  services: Services,
  settings: { authenticate: Authenticate; rates: RequestRates; bodies: BodyMemory; maxBodyBytes: number },
): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const readBodies = readBody(settings.bodies, (response) => {
    const { tenantId, limits } = requesterOf(response);
    return { tenantId, maxBytes: limits.max_body_bytes };
  });
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
      const maxBodyBytes = Math.min(limits.max_body_bytes, settings.maxBodyBytes);
      setRequester(response, {
        tenantId,
        keyId,
        scopes,
        limits: { ...limits, max_body_bytes: maxBodyBytes },
      });
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

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const route of routes) {
    const known = methods.get(route.path) ?? [];
    methods.set(route.path, [...known, route.method.toUpperCase()]);
  }
  return methods;
}

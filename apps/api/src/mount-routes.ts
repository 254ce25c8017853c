import { ProblemError } from '@turnpike/contract';
import express, { type RequestHandler, type Router } from 'express';
import { isForm } from './files/receive-form.ts';
import { identify, readBodies, type AdmissionSettings } from './identify.ts';
import type { Route, Services } from './route.ts';
import { serveRoute } from './serve-route.ts';

/** A router of these operations. The requester is authenticated before a byte of the body is read. */
export function mountRoutes(
  routes: readonly Route[],
  services: Services,
  settings: AdmissionSettings,
): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const readBody = readBodies(settings);
  for (const route of routes) {
    const serve: RequestHandler = (request, response) => serveRoute(route, services, request, response);
    const readJson: RequestHandler = (request, response, next) =>
      route.form !== undefined && isForm(request) ? next() : readBody(request, response, next);
    router[route.method](route.path, identify(settings, route), readJson, serve);
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

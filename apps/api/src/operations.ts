import express, { type Router } from 'express';
import type { Readiness } from '@turnpike/telemetry';
import { docsPage } from './docs-page.ts';

export interface OperationParts {
  /** Builds the OpenAPI document; called once, at its first request. */
  describe(): Promise<object>;
  readiness: Readiness;
}

/** The routes for operators: probes, and the OpenAPI document with a page that shows it. */
export function operationRoutes(parts: OperationParts): Router {
  const router = express.Router();
  let document: Promise<object> | undefined;
  router.get('/livez', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const report = await parts.readiness.read();
    response.status(report.status === 'ok' ? 200 : 503).json(report);
  });
  router.get('/openapi.json', async (_request, response) => {
    response.json(await (document ??= parts.describe()));
  });
  router.use('/docs', docsPage());
  return router;
}

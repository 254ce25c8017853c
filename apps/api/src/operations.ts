import express, { type Router } from 'express';
import type { Readiness } from '@turnpike/telemetry';
import { docsPage } from './docs-page.ts';

/** What operators and their machines ask: probes, and the document with a page to read it. */
export function operationRoutes(parts: { document: object; readiness: Readiness }): Router {
  const router = express.Router();
  router.get('/livez', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const report = await parts.readiness.read();
    response.status(report.status === 'ok' ? 200 : 503).json(report);
  });
  router.get('/openapi.json', (_request, response) => {
    response.json(parts.document);
  });
  router.use('/docs', docsPage());
  return router;
}

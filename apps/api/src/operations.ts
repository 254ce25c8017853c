import express, { type Router } from 'express';
import helmet from 'helmet';
import type { Metrics, Readiness } from '@turnpike/telemetry';
import swaggerUi from 'swagger-ui-express';

/** What operators and their machines ask: probes, and the document with a page to read it. */
export function operationRoutes(parts: { document: object; metrics: Metrics; readiness: Readiness }): Router {
  const router = express.Router();
  router.get('/livez', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const report = await parts.readiness.read();
    response.status(report.status === 'ok' ? 200 : 503).json(report);
  });
  router.get('/metrics', async (_request, response) => {
    const { contentType, text } = await parts.metrics.render();
    response.set('Content-Type', contentType).send(text);
  });
  router.get('/openapi.json', (_request, response) => {
    response.json(parts.document);
  });
  // The page brings its own styles and one inline script; nothing comes from another host.
  const securePage = helmet({
    contentSecurityPolicy: {
      directives: {
        scriptSrc: ["'self'", "'unsafe-inline'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        fontSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null,
      },
    },
  });
  router.use('/docs', securePage, swaggerUi.serve, swaggerUi.setup(parts.document));
  return router;
}

import express, { type Router } from 'express';
import helmet from 'helmet';
import type { Metrics } from '@turnpike/telemetry';
import swaggerUi from 'swagger-ui-express';
import type { Services } from './route.ts';

const CHECK_LIMIT_MS = 2_000;

/** What operators and their machines ask: probes, and the document with a page to read it. */
export function operationRoutes(
  services: Pick<Services, 'database' | 'backplane'>,
  parts: { document: object; metrics: Metrics; isStopping: () => boolean },
): Router {
  const router = express.Router();
  router.get('/livez', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const [postgres, backplane] = await Promise.all([
      check(() => services.database.ping()),
      check(() => services.backplane.ping()),
    ]);
    const isReady = postgres && backplane && !parts.isStopping();
    response.status(isReady ? 200 : 503).json({
      status: parts.isStopping() ? 'stopping' : isReady ? 'ok' : 'not_ready',
      checks: { postgres: word(postgres), backplane: word(backplane) },
    });
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

async function check(ask: () => Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_LIMIT_MS);
  });
  const answered = ask().then(
    () => true,
    () => false,
  );
  const isUp = await Promise.race([answered, limit]);
  clearTimeout(timer);
  return isUp;
}

function word(isUp: boolean): 'up' | 'down' {
  return isUp ? 'up' : 'down';
}

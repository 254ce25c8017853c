import express from 'express';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { ApiError, errorBody } from './api-error.ts';
import { controlRoutes } from './control-routes.ts';
import { describeError } from './describe-error.ts';
import { batchRoutes } from './batches/batch-routes.ts';
import { newSimId } from './ids.ts';
import { countTokens, createMessage } from './messages-route.ts';
import { getModel, listModels } from './models-route.ts';
import { requestIdOf } from './request-id.ts';
import { sendJson } from './send-json.ts';
import type { Simulation } from './simulation.ts';

export const NOTICE = 'This is a simulation of the Anthropic Messages API. No model answers here.';

/** The simulated API, and the control routes with it unless they have a port of their own. */
export function makeApiApp(simulation: Simulation, withControl: boolean): Express {
  const app = makeApp();
  app.post('/v1/messages', createMessage(simulation));
  app.post('/v1/messages/count_tokens', countTokens(simulation));
  app.use('/v1/messages/batches', batchRoutes(simulation));
  app.get('/v1/models', listModels(simulation));
  app.get('/v1/models/:id', getModel(simulation));
  if (withControl) app.use('/control', controlRoutes(simulation));
  app.all(['/v1/messages', '/v1/messages/count_tokens'], () => {
    throw new ApiError(405, 'Method Not Allowed');
  });
  return finish(app);
}

/** The control routes alone, for a port of their own. */
export function makeControlApp(simulation: Simulation): Express {
  const app = makeApp();
  app.use('/control', controlRoutes(simulation));
  return finish(app);
}

const markAnswer: RequestHandler = (_request, response, next) => {
  response.setHeader('request-id', newSimId('req'));
  response.setHeader('x-turnpike-simulation', 'true');
  next();
};

function makeApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(markAnswer);
  app.get('/', (_request, response) => {
    sendJson(response, 200, { simulation: true, notice: NOTICE, control: '/control' });
  });
  return app;
}

const answerError: ErrorRequestHandler = (error: unknown, _request, response, _next) => {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, type, message, headers } = describeError(error);
  sendJson(response, status, errorBody(type, message, requestIdOf(response)), headers);
};

function finish(app: Express): Express {
  app.use(() => {
    throw new ApiError(404, 'Not Found');
  });
  app.use(answerError);
  return app;
}
